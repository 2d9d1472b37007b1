//! Test servers on a free port of this host, which stop when dropped.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use weft_provider::http::Body;

pub(super) struct Server {
    pub(super) address: SocketAddr,
    connections: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Server {
    /// Answers every request with `answer`.
    pub(super) async fn http<F>(answer: fn(Request<Incoming>) -> F) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::tcp(move |stream| serve(stream, answer)).await
    }

    /// Like [`Self::http`], with TLS and the certificate of the tests.
    pub(super) async fn https<F>(answer: fn(Request<Incoming>) -> F) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::tls(answer, &[]).await
    }

    /// Like [`Self::https`], with HTTP/2 for clients that have it.
    pub(super) async fn https_2<F>(answer: fn(Request<Incoming>) -> F) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        Self::tls(answer, &[b"h2", b"http/1.1"]).await
    }

    async fn tls<F>(answer: fn(Request<Incoming>) -> F, protocols: &[&[u8]]) -> Self
    where
        F: Future<Output = Response<Body>> + Send + 'static,
    {
        let mut config = tls_config();
        config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Self::tcp(move |stream| {
            let accepting = acceptor.accept(stream);
            async move {
                if let Ok(stream) = accepting.await {
                    serve(stream, answer).await;
                }
            }
        })
        .await
    }

    /// Answers the first bytes of a connection with `bytes`, and keeps the connection open.
    pub(super) async fn raw(bytes: &'static [u8]) -> Self {
        Self::tcp(move |mut stream| async move {
            // Bytes that arrive before a request cause a different error.
            stream.read_u8().await.unwrap();
            stream.write_all(bytes).await.unwrap();
            std::future::pending::<()>().await;
        })
        .await
    }

    async fn tcp<F>(serve: impl Fn(TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&connections);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut serving = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                serving.spawn(serve(stream));
            }
        });
        Self {
            address,
            connections,
            _tasks: tasks,
        }
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// The root certificate of the tests.
pub(super) fn root() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(include_bytes!("tls/root.pem")).unwrap())
        .unwrap();
    roots
}

fn tls_config() -> ServerConfig {
    let certificate =
        CertificateDer::from_pem_slice(include_bytes!("tls/certificate.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/key.pem")).unwrap();
    ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap()
}

async fn serve<S, F>(stream: S, answer: fn(Request<Incoming>) -> F)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = Response<Body>> + Send + 'static,
{
    let service = service_fn(move |request| {
        let answering = answer(request);
        async move { Ok::<_, Infallible>(answering.await) }
    });
    // In some tests the client disconnects.
    let _ = auto::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(stream), service)
        .await;
}
