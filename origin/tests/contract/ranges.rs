//! Ranges of segments are slices of the whole.

use http::{Method, StatusCode};

use super::rig::Rig;

#[tokio::test]
async fn a_range_is_a_slice_of_the_whole_wherever_it_lies() {
    let rig = Rig::open().with_show().await;
    for folder in rig.renditions().await {
        for file in ["0.m4s", "init.mp4", "index.m3u8"] {
            let path = format!("{folder}/{file}");
            let whole = rig.get(&path).await;
            let (tag, len) = (whole.header("etag").to_owned(), whole.body.len());
            let mut at = 1usize;
            for turn in 0..60usize {
                // A walk over all offsets and lengths that visits both ends.
                at = (at * 7919 + turn * 13) % len;
                let past = (at + 1 + (turn * turn * 31) % len).min(len);
                let last_of = format!("bytes=-{}", len - at);
                for (range, start, end) in [
                    (format!("bytes={at}-{}", past - 1), at, past),
                    (format!("bytes={at}-"), at, len),
                    (last_of, at, len),
                    (format!("bytes={at}-99999999999999999999"), at, len),
                ] {
                    let asked = [("range", range.as_str()), ("if-range", tag.as_str())];
                    let part = rig.ask(Method::GET, &path, &asked).await;
                    assert_eq!(part.status, StatusCode::PARTIAL_CONTENT, "{path} {range}");
                    assert_eq!(part.body, &whole.body[start..end], "{path} {range}");
                    assert_eq!(
                        part.header("content-range"),
                        format!("bytes {start}-{}/{len}", end - 1),
                        "{path}"
                    );
                    assert_eq!(part.header("content-length"), (end - start).to_string());
                    assert_eq!(part.header("etag"), tag);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_range_beyond_the_end_names_the_length_and_one_of_another_content_is_the_whole() {
    let rig = Rig::open().with_show().await;
    let [video, _] = rig.renditions().await;
    let path = format!("{video}/0.m4s");
    let len = rig.get(&path).await.body.len();
    let beyond = rig.ask(Method::GET, &path, &[("range", &format!("bytes={len}-"))]).await;
    assert_eq!(beyond.status, StatusCode::RANGE_NOT_SATISFIABLE);
    assert_eq!(beyond.header("content-range"), format!("bytes */{len}"));
    for (name, value) in [("if-range", "\"other\""), ("x-none", "")] {
        let range = if name == "if-range" { "bytes=0-1" } else { "lines=0-1" };
        let whole = rig.ask(Method::GET, &path, &[("range", range), (name, value)]).await;
        assert_eq!((whole.status, whole.body.len()), (StatusCode::OK, len));
    }
    // RFC 9110 §14.2: a range means something for GET alone.
    let head = rig.ask(Method::HEAD, &path, &[("range", "bytes=0-1")]).await;
    assert_eq!((head.status, head.header("content-length")), (StatusCode::OK, len.to_string().as_str()));
}
