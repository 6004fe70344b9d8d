//! The suites of all ports, on two nodes that share nothing but the server.

use packager::asset::{AssetName, Revision};
use transcoder::publishing::{
    self, Published, Publishing, leases_conformance, shows_conformance, stream_keys_conformance,
};

use super::server::{Server, open};
use super::{hand, two_nodes};
use crate::catalog::conformance;

#[tokio::test]
async fn the_catalogue_in_postgres_conforms() {
    let [node, other] = two_nodes().await;
    let publish = async |asset: &AssetName, revision: &Revision| {
        while node.begin(asset).await.unwrap() != *revision {}
        assert_eq!(node.publish(asset, revision).await.unwrap(), Published::Current);
    };
    let withdraw = async |asset: &AssetName| assert!(node.withdraw(asset).await.unwrap());
    conformance::run(&*other, publish, withdraw).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn publishing_in_postgres_conforms() {
    let fresh = || {
        let fresh = async { open(&Server::shared().database().await).await };
        tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(fresh))
    };
    publishing::conformance::run(fresh).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shows_in_postgres_conform() {
    let fresh = async || {
        let [one, other] = two_nodes().await;
        let both: shows_conformance::Both = [one, other];
        both
    };
    shows_conformance::run(fresh).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stream_keys_in_postgres_conform() {
    let fresh = async || {
        let [one, other] = two_nodes().await;
        let step = hand(
            &one,
            "UPDATE stream_key SET created_ms = created_ms - $1, expires_ms = expires_ms - $1,
                 revoked_ms = revoked_ms - $1, used_ms = used_ms - $1",
        );
        stream_keys_conformance::Stage { both: [one, other], step }
    };
    stream_keys_conformance::run(fresh).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn leases_in_postgres_conform() {
    let fresh = async || {
        let [one, other] = two_nodes().await;
        let step = hand(&one, "UPDATE lease SET until_ms = until_ms - $1");
        leases_conformance::Stage { both: [one, other], step }
    };
    leases_conformance::run(fresh).await.unwrap();
}
