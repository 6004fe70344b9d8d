//! Whom a node trusts. The server's TLS is ours: its own would need a port that is free.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, UnixStream};
use tokio_rustls::TlsAcceptor;

use super::super::Postgres;
use super::server::{Server, at, open, url};
use crate::catalog::Catalog;
use crate::config::{PostgresUrl, Server as Place, TlsMode};
use crate::db::DatabaseError;

/// Speaks TLS before the server of a folder (PostgreSQL manual, §55.2.10), with a certificate for `localhost` that is written to
/// `authority`. Nobody gets in in clear. Ends with its runtime.
async fn encrypted(folder: &Path, authority: &Path) -> SocketAddr {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    std::fs::write(authority, made.cert.pem()).unwrap();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![made.cert.into()], key.into()).unwrap();
    let (acceptor, listener) =
        (TlsAcceptor::from(Arc::new(config)), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let (address, socket) = (listener.local_addr().unwrap(), folder.join(".s.PGSQL.5432"));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, socket) = (acceptor.clone(), socket.clone());
            tokio::spawn(async move {
                let mut request = [0; 8];
                client.read_exact(&mut request).await.unwrap();
                if request != SSL_REQUEST {
                    return;
                }
                client.write_all(b"S").await.unwrap();
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = UnixStream::connect(socket).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_trusted_is_what_the_url_says() {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let database = Server::shared().database().await;
    let address = encrypted(Server::shared().folder(), &authority).await;
    let with = |tls: TlsMode, host: &str, is_known: bool| {
        let url = PostgresUrl {
            server: Place::Tcp(host.to_owned()),
            port: address.port(),
            tls,
            authorities: is_known.then(|| authority.clone()),
            ..url(&database).clone()
        };
        at(url)
    };
    for (tls, host, is_known) in [
        (TlsMode::Prefer, "localhost", false),
        (TlsMode::Require, "localhost", false),
        (TlsMode::VerifyCa, "127.0.0.1", true),
        (TlsMode::VerifyFull, "localhost", true),
    ] {
        open(&with(tls, host, is_known)).await.ready().await.unwrap();
    }
    for (tls, host, is_known) in [
        (TlsMode::Disable, "localhost", true),
        (TlsMode::VerifyCa, "localhost", false),
        (TlsMode::VerifyFull, "localhost", false),
        (TlsMode::VerifyFull, "127.0.0.1", true),
    ] {
        let database = with(tls, host, is_known);
        let error = Postgres::open(url(&database), &database).await.unwrap_err();
        assert!(matches!(error, DatabaseError::Unreachable { .. }), "{tls:?} {host}: {error:?}");
    }
}

const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
