//! What every catalogue must do, whoever implements it.

use packager::asset::{AssetName, Revision};

use super::Catalog;

/// Runs the suite on an empty `catalog`; `publish` makes a revision current by whatever means the
/// implementation has, and `withdraw` has none be so. Revisions are published with growing numbers only.
pub(crate) async fn run(
    catalog: &dyn Catalog,
    publish: impl AsyncFn(&AssetName, &Revision),
    withdraw: impl AsyncFn(&AssetName),
) {
    nothing_is_published_at_first(catalog).await;
    the_last_published_revision_is_current(catalog, &publish).await;
    names_differ_by_case(catalog, &publish).await;
    lists_come_in_byte_order_and_in_pages(catalog, &publish).await;
    what_is_withdrawn_is_not_there_until_it_is_published_again(catalog, &publish, &withdraw).await;
}

async fn nothing_is_published_at_first(catalog: &dyn Catalog) {
    catalog.ready().await.unwrap();
    assert_eq!(catalog.current(&name("show")).await.unwrap(), None);
    assert_eq!(catalog.list(None, 10).await.unwrap(), []);
}

async fn the_last_published_revision_is_current(
    catalog: &dyn Catalog,
    publish: &impl AsyncFn(&AssetName, &Revision),
) {
    for number in [1, 2, 10] {
        publish(&name("show"), &Revision::counted(number)).await;
        assert_eq!(catalog.current(&name("show")).await.unwrap(), Some(Revision::counted(number)));
    }
    assert_eq!(catalog.current(&name("shows")).await.unwrap(), None);
}

async fn names_differ_by_case(catalog: &dyn Catalog, publish: &impl AsyncFn(&AssetName, &Revision)) {
    publish(&name("Show"), &Revision::counted(3)).await;
    assert_eq!(catalog.current(&name("Show")).await.unwrap(), Some(Revision::counted(3)));
    assert_eq!(catalog.current(&name("show")).await.unwrap(), Some(Revision::counted(10)));
    assert_eq!(catalog.current(&name("SHOW")).await.unwrap(), None);
}

async fn lists_come_in_byte_order_and_in_pages(
    catalog: &dyn Catalog,
    publish: &impl AsyncFn(&AssetName, &Revision),
) {
    for asset in ["a_b", "a-b", "0", "z"] {
        publish(&name(asset), &Revision::counted(20)).await;
    }
    let expected = ["0", "Show", "a-b", "a_b", "show", "z"];
    let whole = catalog.list(None, 100).await.unwrap();
    assert_eq!(whole.iter().map(|line| line.asset.as_str()).collect::<Vec<_>>(), expected);
    assert_eq!(whole[1].revision, Revision::counted(3));

    let mut paged = Vec::new();
    loop {
        let page = catalog.list(paged.last().map(|line: &super::Published| &line.asset), 4).await.unwrap();
        let full = page.len() == 4;
        paged.extend(page);
        if !full {
            break;
        }
    }
    assert_eq!(paged, whole);
    assert_eq!(catalog.list(None, 0).await.unwrap(), []);
}

async fn what_is_withdrawn_is_not_there_until_it_is_published_again(
    catalog: &dyn Catalog,
    publish: &impl AsyncFn(&AssetName, &Revision),
    withdraw: &impl AsyncFn(&AssetName),
) {
    let before = catalog.list(None, 100).await.unwrap();
    withdraw(&name("Show")).await;
    assert_eq!(catalog.current(&name("Show")).await.unwrap(), None);
    let rest: Vec<_> = before.iter().filter(|line| line.asset != name("Show")).cloned().collect();
    assert_eq!(catalog.list(None, 100).await.unwrap(), rest);
    publish(&name("Show"), &Revision::counted(30)).await;
    assert_eq!(catalog.current(&name("Show")).await.unwrap(), Some(Revision::counted(30)));
    assert_eq!(catalog.list(None, 100).await.unwrap().len(), before.len());
}

fn name(text: &str) -> AssetName {
    text.parse().unwrap()
}
