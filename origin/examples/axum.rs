//! An axum server with pages of its own, and an origin below `/vod`: no Pingora is compiled in.
//!
//! ```text
//! cargo run -p forebay-origin --no-default-features --features tower --example axum -- MEDIA [ADDRESS]
//! ```
//!
//! `MEDIA` is a folder that holds `vod/<asset>/*.mp4`.

use std::error::Error;
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use forebay_origin::Origin;
use forebay_origin::catalog::MemoryCatalog;
use forebay_origin::config::Config;
use object_store::local::LocalFileSystem;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let media = arguments.next().ok_or("expected a folder of media, found none")?;
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:8081".to_owned());

    let config =
        Config::parse("[auth]\nrequired = false\n", "axum.toml".as_ref()).map_err(|f| format!("{f:?}"))?;
    let origin = Origin::builder(&config)
        .catalog(Arc::new(MemoryCatalog::new()))
        .store(Arc::new(LocalFileSystem::new_with_prefix(media)?))
        .build()?;

    let app = Router::new()
        .route("/", get(|| async { "ask for /vod/<asset>/main.m3u8\n" }))
        .fallback_service(origin);
    let listener = TcpListener::bind(address).await?;
    #[allow(clippy::print_stdout, reason = "the example says where it listens")]
    {
        println!("listening on {}", listener.local_addr()?);
    }
    axum::serve(listener, app).await?;
    Ok(())
}
