//! As much of an S3-compatible store as an archive asks for: over HTTP on this machine, in memory.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::TcpListener;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, ETAG, IF_NONE_MATCH};
use axum::http::{Method, Response, StatusCode};
use object_store::ClientOptions;
use object_store::aws::{AmazonS3, AmazonS3Builder};

const BUCKET: &str = "agents";
const KEY_ID: &str = "AKIAEXAMPLE";
pub(crate) const SECRET: &str = "hunter2/secret";
/// So many names are listed at once.
const PAGE: usize = 4;
/// No answer comes later.
const LARGEST: usize = 64 << 20;

/// A store. It goes with the test.
#[derive(Clone, Default)]
pub(crate) struct S3Server {
    objects: Arc<Mutex<BTreeMap<String, Object>>>,
    /// The name of an object whose first answer is lost, after it was stored.
    loses: Arc<Mutex<Option<&'static str>>>,
    port: u16,
}

struct Object {
    content: Bytes,
    stored: SystemTime,
}

impl S3Server {
    /// To be called on a runtime, which serves it.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, ..Self::default() };
        let router = Router::new().fallback(answer).with_state(server.clone());
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        server
    }

    /// A way to it.
    pub(crate) fn store(&self) -> AmazonS3 {
        let options = ClientOptions::new().with_allow_http(true);
        let builder = AmazonS3Builder::new().with_client_options(options);
        builder
            .with_endpoint(format!("http://127.0.0.1:{}", self.port))
            .with_bucket_name(BUCKET)
            .with_access_key_id(KEY_ID)
            .with_secret_access_key(SECRET)
            .build()
            .unwrap()
    }

    /// The names of all objects with such an end.
    pub(crate) fn names(&self, end: &str) -> Vec<String> {
        self.lock().keys().filter(|name| name.ends_with(end)).cloned().collect()
    }

    /// Flips a bit of an object.
    pub(crate) fn damage(&self, name: &str) {
        let mut objects = self.lock();
        let object = objects.get_mut(name).unwrap();
        let mut content = object.content.to_vec();
        content[20] ^= 1;
        object.content = content.into();
    }

    pub(crate) fn remove(&self, name: &str) {
        self.lock().remove(name).unwrap();
    }

    /// Makes all objects as old as that.
    pub(crate) fn age(&self, by: Duration) {
        self.lock().values_mut().for_each(|object| object.stored -= by);
    }

    /// Loses the answer to the next object with such an end.
    pub(crate) fn lose_the_answer_of(&self, end: &'static str) {
        *self.loses.lock().unwrap() = Some(end);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Object>> {
        self.objects.lock().unwrap()
    }

    fn put(&self, name: &str, content: Bytes, is_new: bool) -> Response<Body> {
        let mut objects = self.lock();
        if is_new && objects.contains_key(name) {
            return failure(StatusCode::PRECONDITION_FAILED, "PreconditionFailed");
        }
        let tag = tag(&content);
        objects.insert(name.to_owned(), Object { content, stored: SystemTime::now() });
        drop(objects);
        if self.loses.lock().unwrap().take_if(|end| name.ends_with(*end)).is_some() {
            return failure(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
        }
        Response::builder().header(ETAG, tag).body(Body::empty()).unwrap()
    }

    fn get(&self, name: &str) -> Response<Body> {
        let objects = self.lock();
        let Some(object) = objects.get(name) else {
            return failure(StatusCode::NOT_FOUND, "NoSuchKey");
        };
        let response = Response::builder().header(ETAG, tag(&object.content));
        response.body(Body::from(object.content.clone())).unwrap()
    }

    /// A page of names in order, behind the last one of the page before.
    fn list(&self, query: &BTreeMap<String, String>) -> Response<Body> {
        let prefix = query.get("prefix").map_or("", |prefix| prefix);
        let after = query.get("continuation-token").cloned();
        let objects = self.lock();
        let listed = objects.iter().filter(|(name, _)| {
            name.starts_with(prefix) && after.as_ref().is_none_or(|after| *name > after)
        });
        let listed: Vec<_> = listed.take(PAGE + 1).collect();
        let mut text = String::from("<ListBucketResult>");
        for (name, Object { content, stored }) in listed.iter().take(PAGE) {
            let (size, tag) = (content.len(), tag(content));
            let stored = humantime::format_rfc3339_millis(*stored);
            write!(
                text,
                "<Contents><Key>{name}</Key><LastModified>{stored}</LastModified>\
                 <Size>{size}</Size><ETag>{tag}</ETag></Contents>"
            )
            .unwrap();
        }
        let is_cut = listed.len() > PAGE;
        write!(text, "<IsTruncated>{is_cut}</IsTruncated>").unwrap();
        if is_cut {
            let next = listed[PAGE - 1].0;
            write!(text, "<NextContinuationToken>{next}</NextContinuationToken>").unwrap();
        }
        Response::new(Body::from(text + "</ListBucketResult>"))
    }

    /// Removes what a list names.
    fn delete(&self, list: &str) -> Response<Body> {
        let names = list.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        let mut text = String::from("<DeleteResult>");
        for name in names {
            self.lock().remove(name);
            write!(text, "<Deleted><Key>{name}</Key></Deleted>").unwrap();
        }
        Response::new(Body::from(text + "</DeleteResult>"))
    }
}

async fn answer(State(server): State<S3Server>, request: Request) -> Response<Body> {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, LARGEST).await.unwrap();
    let signed = head.headers.get(AUTHORIZATION).map(|value| value.to_str().unwrap().to_owned());
    let due = format!("AWS4-HMAC-SHA256 Credential={KEY_ID}/");
    if !signed.is_some_and(|signed| signed.starts_with(&due) && signed.contains("Signature=")) {
        return failure(StatusCode::FORBIDDEN, "AccessDenied");
    }
    let query = head.uri.query().unwrap_or_default();
    let query: BTreeMap<_, _> = query.split('&').map(parameter).collect();
    let path = head.uri.path().trim_start_matches('/');
    let (bucket, name) = path.split_once('/').unwrap_or((path, ""));
    if bucket != BUCKET {
        return failure(StatusCode::NOT_FOUND, "NoSuchBucket");
    }
    match head.method {
        Method::PUT => server.put(name, body, head.headers.contains_key(IF_NONE_MATCH)),
        Method::GET if query.contains_key("list-type") => server.list(&query),
        Method::GET | Method::HEAD => server.get(name),
        Method::POST if query.contains_key("delete") => {
            server.delete(std::str::from_utf8(&body).unwrap())
        }
        _ => failure(StatusCode::NOT_IMPLEMENTED, "NotImplemented"),
    }
}

fn parameter(text: &str) -> (String, String) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    (name.to_owned(), value.replace("%2F", "/"))
}

fn failure(status: StatusCode, code: &str) -> Response<Body> {
    let text = format!("<Error><Code>{code}</Code><Message>{code}</Message></Error>");
    Response::builder().status(status).body(Body::from(text)).unwrap()
}

/// Of other contents another one.
fn tag(content: &[u8]) -> String {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
