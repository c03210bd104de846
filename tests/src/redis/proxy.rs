//! Between a client and a server: loses the connection where it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// How long a delayed command is held back.
pub const DELAY: Duration = Duration::from_millis(300);

/// How long a large command takes on a slow network.
pub const SLOW: Duration = Duration::from_secs(3);

/// Where a connection is lost, with respect to one command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The server never sees the command.
    BeforeRequest,
    /// The server sees half of the command.
    InRequest,
    /// The server has the command; it may not have done it yet.
    AfterRequest,
    /// The server has done it, and the client sees nothing of the answer.
    BeforeReply,
    /// The client sees half of the answer.
    InReply,
    /// The client loses the connection at once, the server gets the command [`DELAY`] later.
    Late,
}

impl Cut {
    /// Each of them.
    pub const ALL: [Self; 6] = [
        Self::BeforeRequest,
        Self::InRequest,
        Self::AfterRequest,
        Self::BeforeReply,
        Self::InReply,
        Self::Late,
    ];
}

/// What is to happen.
#[derive(Debug, Default)]
struct Plan {
    /// How many commands pass before it does.
    passing: usize,
    cut: Option<Cut>,
    /// Whether the connection can be made again then.
    stays_down: bool,
    is_down: bool,
    has_cut: bool,
}

/// A way to a server that can be cut.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    plan: Arc<Mutex<Plan>>,
    is_slow: Arc<AtomicBool>,
}

impl Proxy {
    /// A way to the server on this port.
    #[must_use]
    pub fn to(server: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let plan = Arc::new(Mutex::new(Plan::default()));
        let is_slow = Arc::new(AtomicBool::new(false));
        let proxy = Self { port, plan: Arc::clone(&plan), is_slow: Arc::clone(&is_slow) };
        thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                if plan.lock().unwrap().is_down {
                    continue;
                }
                let (plan, is_slow) = (Arc::clone(&plan), Arc::clone(&is_slow));
                let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
                thread::spawn(move || carry(client, server, &plan, &is_slow));
            }
        });
        proxy
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Cuts at the command that comes after so many others.
    pub fn cut(&self, cut: Cut, passing: usize, stays_down: bool) {
        let cut = Some(cut);
        *self.plan.lock().unwrap() = Plan { passing, cut, stays_down, ..Plan::default() };
    }

    /// Holds back what is larger than a MiB for some seconds.
    pub fn slow_down_large(&self) {
        self.is_slow.store(true, Ordering::SeqCst);
    }

    /// Whether it has cut.
    #[must_use]
    pub fn has_cut(&self) -> bool {
        self.plan.lock().unwrap().has_cut
    }

    /// Lets everything pass again; whether it has cut.
    #[must_use]
    pub fn mend(&self) -> bool {
        std::mem::take(&mut *self.plan.lock().unwrap()).has_cut
    }
}

impl Plan {
    /// What happens at the next command.
    fn next(&mut self) -> Option<Cut> {
        let cut = self.cut?;
        if self.passing > 0 {
            self.passing -= 1;
            return None;
        }
        self.cut = None;
        self.has_cut = true;
        self.is_down = self.stays_down;
        Some(cut)
    }
}

/// Carries commands one after the other: what was sent together is answered one by one.
fn carry(mut client: TcpStream, mut server: TcpStream, plan: &Mutex<Plan>, is_slow: &AtomicBool) {
    let (mut commands, mut replies) = (Buffer::default(), Buffer::default());
    while let Some(command) = commands.next(&mut client) {
        let cut = plan.lock().unwrap().next();
        if command.len() > 1 << 20 && is_slow.load(Ordering::SeqCst) {
            thread::sleep(SLOW);
        }
        let half = &command[..command.len() / 2];
        match cut {
            Some(Cut::BeforeRequest) => break,
            Some(Cut::InRequest) => {
                let _ = server.write_all(half);
                break;
            }
            Some(Cut::AfterRequest) => {
                let _ = server.write_all(&command);
                break;
            }
            Some(Cut::Late) => {
                let _ = client.shutdown(Shutdown::Both);
                thread::sleep(DELAY);
                let _ = server.write_all(&command);
                let _ = replies.next(&mut server);
                break;
            }
            Some(Cut::BeforeReply | Cut::InReply) | None => {}
        }
        if server.write_all(&command).is_err() {
            break;
        }
        let Some(reply) = replies.next(&mut server) else { break };
        let shown = match cut {
            Some(Cut::BeforeReply) => &[],
            Some(Cut::InReply) => &reply[..reply.len() / 2],
            _ => &reply[..],
        };
        if client.write_all(shown).is_err() || cut.is_some() {
            break;
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    let _ = server.shutdown(Shutdown::Both);
}

/// Bytes that have arrived.
#[derive(Default)]
struct Buffer(Vec<u8>);

impl Buffer {
    /// The next whole command or reply; `None` at the end.
    fn next(&mut self, stream: &mut TcpStream) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = length_of(&self.0) {
                return Some(self.0.drain(..length).collect());
            }
            let mut some = vec![0; 64 << 10];
            match stream.read(&mut some) {
                Ok(count) if count > 0 => self.0.extend_from_slice(&some[..count]),
                _ => return None,
            }
        }
    }
}

/// The length of the value at the beginning (RESP 2), if all of it is there.
fn length_of(bytes: &[u8]) -> Option<usize> {
    let line = bytes.windows(2).position(|end| end == b"\r\n")? + 2;
    let number = || std::str::from_utf8(&bytes[1..line - 2]).unwrap().parse::<i64>().unwrap();
    match bytes[0] {
        b'$' => {
            let length = usize::try_from(number()).map_or(line, |length| line + length + 2);
            (bytes.len() >= length).then_some(length)
        }
        b'*' => (0..number())
            .try_fold(line, |length, _| Some(length + length_of(bytes.get(length..)?)?)),
        _ => Some(line),
    }
}
