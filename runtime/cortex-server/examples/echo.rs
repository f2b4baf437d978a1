//! `echo ADDRESS`: what axum alone does with a request, for `cargo xtask load` to compare the server with. Answers with the
//! body that it got.

use std::error::Error;
use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use tokio::net::TcpListener;

fn main() -> Result<(), Box<dyn Error>> {
    let address: SocketAddr = std::env::args().nth(1).ok_or("usage: echo ADDRESS")?.parse()?;
    let executor = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    executor.block_on(async {
        let listener = TcpListener::bind(address).await?;
        let router = Router::new().route("/", post(async |body: Bytes| body));
        Ok(axum::serve(listener, router).await?)
    })
}
