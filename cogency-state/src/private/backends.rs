//! One macro for each backend that a cargo feature switches on. The attribute cannot know which
//! features this crate was built with: it calls the macro, whose definition here is either the
//! backend or the error that names the feature.

/// `persist = "redis"` or `persist = "redis://..."`
#[cfg(feature = "redis")]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_redis {
    ($url:literal) => {
        $crate::private::Persist::url($url)
    };
}

/// `persist = "redis"` or `persist = "redis://..."`
#[cfg(not(feature = "redis"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_redis {
    ($url:literal) => {
        ::core::compile_error!("this `persist` needs the cargo feature `redis` of cogency-state")
    };
}

/// `persist = "database"`
#[cfg(any(feature = "sqlite", feature = "postgres", feature = "mysql"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_database {
    ($url:literal) => {
        $crate::private::Persist::url($url)
    };
}

/// `persist = "database"`
#[cfg(not(any(feature = "sqlite", feature = "postgres", feature = "mysql")))]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_database {
    ($url:literal) => {
        ::core::compile_error!("this `persist` needs the cargo feature `sqlite`, `postgres` or `mysql` of cogency-state")
    };
}

/// `persist = "sqlite"` or `persist = "sqlite:..."`
#[cfg(feature = "sqlite")]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_sqlite {
    ($url:literal) => {
        $crate::private::Persist::url($url)
    };
}

/// `persist = "sqlite"` or `persist = "sqlite:..."`
#[cfg(not(feature = "sqlite"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_sqlite {
    ($url:literal) => {
        ::core::compile_error!("this `persist` needs the cargo feature `sqlite` of cogency-state")
    };
}

/// `persist = "postgres"` or `persist = "postgres://..."`
#[cfg(feature = "postgres")]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_postgres {
    ($url:literal) => {
        $crate::private::Persist::url($url)
    };
}

/// `persist = "postgres"` or `persist = "postgres://..."`
#[cfg(not(feature = "postgres"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_postgres {
    ($url:literal) => {
        ::core::compile_error!("this `persist` needs the cargo feature `postgres` of cogency-state")
    };
}

/// `persist = "mysql"`, `persist = "mysql://..."` or `persist = "mariadb://..."`
#[cfg(feature = "mysql")]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_mysql {
    ($url:literal) => {
        $crate::private::Persist::url($url)
    };
}

/// `persist = "mysql"`, `persist = "mysql://..."` or `persist = "mariadb://..."`
#[cfg(not(feature = "mysql"))]
#[doc(hidden)]
#[macro_export]
macro_rules! __persist_mysql {
    ($url:literal) => {
        ::core::compile_error!("this `persist` needs the cargo feature `mysql` of cogency-state")
    };
}

pub use {
    __persist_database as database, __persist_mysql as mysql, __persist_postgres as postgres,
    __persist_redis as redis, __persist_sqlite as sqlite,
};
