use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use tokio::net::TcpListener;

use super::*;

/// A server whose answers are told by the path; it counts questions.
async fn server() -> (String, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let app = Router::new().fallback(answer).with_state(Arc::clone(&asked));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (format!("http://{address}"), asked)
}

async fn answer(State(asked): State<Arc<AtomicUsize>>, uri: Uri, headers: HeaderMap) -> Response {
    let count = asked.fetch_add(1, Ordering::Relaxed);
    let range = headers.get("range").map(|range| range.to_str().unwrap().to_owned());
    match (uri.path(), range.as_deref()) {
        ("/passing", _) if count == 0 => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        ("/passing" | "/deaf", _) => "0123456789".into_response(),
        ("/broken", _) if count == 0 => {
            let head = [("content-range", "bytes 2-4/10")];
            (StatusCode::PARTIAL_CONTENT, head, "23").into_response()
        }
        ("/ranges" | "/broken", Some("bytes=2-4")) => {
            let head = [("content-range", "bytes 2-4/10")];
            (StatusCode::PARTIAL_CONTENT, head, "234").into_response()
        }
        ("/other", Some(_)) => {
            let head = [("content-range", "bytes 0-2/10")];
            (StatusCode::PARTIAL_CONTENT, head, "012").into_response()
        }
        ("/round", _) => (StatusCode::FOUND, [("location", "/round?again")]).into_response(),
        ("/to", _) => (StatusCode::FOUND, [("location", "deep/there?x=1")]).into_response(),
        ("/file", _) => (StatusCode::FOUND, [("location", "file:///etc/passwd")]).into_response(),
        ("/deep/there", _) => uri.query().unwrap_or_default().to_owned().into_response(),
        ("/gzip", _) => ([("content-encoding", "gzip")], "x").into_response(),
        ("/nothing", _) => "".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn whole(path: &str, range: Option<ByteRange>) -> (Result<(Bytes, Location), Missed>, usize) {
    let (server, asked) = server().await;
    let at = Location::parse(&format!("{server}{path}")).unwrap();
    let fetched = Fetcher::new().unwrap().whole(&at, range, 100).await;
    (fetched, asked.load(Ordering::Relaxed))
}

#[tokio::test]
async fn what_fails_for_now_is_asked_for_again_and_what_fails_for_good_is_not() {
    let (fetched, asked) = whole("/passing", None).await;
    assert_eq!((fetched.unwrap().0.as_ref(), asked), (b"0123456789".as_slice(), 2));
    let (fetched, asked) = whole("/broken", Some(ByteRange::new(2, 5))).await;
    assert_eq!((fetched.unwrap().0.as_ref(), asked), (b"234".as_slice(), 2));
    let (fetched, asked) = whole("/missing", None).await;
    assert_eq!((fetched.unwrap_err().what.as_str(), asked), ("expected 200, found 404", 1));
}

#[tokio::test]
async fn redirects_are_followed_to_where_they_lead_and_not_for_ever() {
    let (bytes, from) = whole("/to", None).await.0.unwrap();
    assert_eq!(bytes.as_ref(), b"x=1");
    assert!(from.url().ends_with("/deep/there?x=1"));
    let (fetched, asked) = whole("/round", None).await;
    assert_eq!((fetched.unwrap_err().what.as_str(), asked), ("expected at most 5 redirects, found more", 6));
    let refused = whole("/file", None).await.0.unwrap_err();
    assert_eq!(refused.what, "expected an address, found one of a local file");
}

#[tokio::test]
async fn a_part_is_the_part_that_was_asked_for() {
    let range = Some(ByteRange::new(2, 5));
    assert_eq!(whole("/ranges", range).await.0.unwrap().0.as_ref(), b"234");
    assert!(whole("/deaf", range).await.0.unwrap_err().what.contains("gives no byte ranges"));
    assert!(whole("/other", range).await.0.unwrap_err().what.contains("found another"));
}

#[tokio::test]
async fn an_answer_has_bytes_as_they_are_and_not_too_many() {
    assert_eq!(whole("/gzip", None).await.0.unwrap_err().what, "expected it as it is, found it encoded");
    assert_eq!(whole("/nothing", None).await.0.unwrap_err().what, "expected bytes, found none");
    let (server, _) = server().await;
    let at = Location::parse(&format!("{server}/deaf")).unwrap();
    let fetched = Fetcher::new().unwrap().whole(&at, None, 9).await;
    assert_eq!(fetched.unwrap_err().what, "expected at most 9 bytes, found more");
}

#[tokio::test]
async fn a_segment_is_on_disk_and_one_of_this_machine_stays_where_it_is() {
    let (server, _) = server().await;
    let (folder, fetcher) = (tempfile::tempdir().unwrap(), Fetcher::new().unwrap());
    let to = folder.path().join("part");
    let at = Location::parse(&format!("{server}/ranges")).unwrap();
    let part = fetcher.part(&at, Some(ByteRange::new(2, 5)), &to).await.unwrap();
    assert_eq!(part, Part { path: to.clone(), range: ByteRange::new(0, 3) });
    assert_eq!(std::fs::read(&to).unwrap(), b"234");
    let here = Location::parse(to.to_str().unwrap()).unwrap();
    let part = fetcher.part(&here, Some(ByteRange::new(1, 3)), Path::new("/nowhere")).await.unwrap();
    assert_eq!(part, Part { path: to, range: ByteRange::new(1, 3) });
    let beyond = fetcher.part(&here, Some(ByteRange::new(1, 4)), Path::new("/nowhere")).await;
    assert!(beyond.unwrap_err().what.contains("found 3 bytes"));
    let folder = Location::parse(folder.path().to_str().unwrap()).unwrap();
    assert!(fetcher.part(&folder, None, Path::new("/nowhere")).await.is_err());
}
