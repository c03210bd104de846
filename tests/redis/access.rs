//! The ways in: TLS, a Unix socket, users, passwords, databases.
