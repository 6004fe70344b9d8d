//! Orders, as programs write them.

use packager::asset::{AssetName, ShowId, StreamName};
use serde::Deserialize;

use super::{Order, Piece};

/// What is asked for, as JSON.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderRequest {
    #[serde(default)]
    stream: Option<StreamName>,
    #[serde(default)]
    show: Option<u64>,
    #[serde(default)]
    from_ms: Option<i64>,
    #[serde(default)]
    to_ms: Option<i64>,
    #[serde(default)]
    from_s: Option<f64>,
    #[serde(default)]
    to_s: Option<f64>,
    #[serde(default)]
    asset: Option<AssetName>,
}

impl OrderRequest {
    /// The order; of this stream, where the request says none.
    ///
    /// # Errors
    /// What was expected.
    pub(crate) fn order(self, stream: Option<StreamName>) -> Result<Order, &'static str> {
        let stream = match (self.stream, stream) {
            (Some(named), Some(meant)) if named != meant => {
                return Err("expected the stream of the path, found another");
            }
            (named, meant) => named.or(meant).ok_or("expected a stream, found none")?,
        };
        let millis = |seconds: f64| {
            let millis = (seconds * 1000.0).round();
            // The bounds are whole numbers, and far from where a float has none.
            #[expect(clippy::cast_possible_truncation, reason = "it is within the bounds")]
            (0.0..=1e12).contains(&millis).then_some(millis as i64)
        };
        let piece = match (self.from_ms, self.to_ms, self.from_s, self.to_s) {
            (None, None, None, None) => Piece::Whole,
            (Some(from), Some(to), None, None) => Piece::Dates(from, to),
            (None, None, Some(from), Some(to)) => match (millis(from), millis(to)) {
                (Some(from), Some(to)) => Piece::Times(from, to),
                _ => return Err("expected from_s and to_s from 0 to 1000000000"),
            },
            _ => return Err("expected from_ms and to_ms, from_s and to_s, or none of them, found others"),
        };
        let show = match self.show {
            Some(0) => return Err("expected the number of a show from 1, found 0"),
            show => show.map(ShowId),
        };
        Ok(Order { stream, show, piece, asset: self.asset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(text: &str) -> Result<Order, String> {
        let request: OrderRequest = serde_json::from_str(text).map_err(|error| error.to_string())?;
        request.order(None).map_err(str::to_owned)
    }

    #[test]
    fn a_piece_is_dates_or_seconds_or_all_of_it() {
        let piece = |text: &str| order(text).map(|order| order.piece);
        assert_eq!(piece(r#"{"stream":"gala"}"#), Ok(Piece::Whole));
        assert_eq!(piece(r#"{"stream":"gala","from_ms":1,"to_ms":2}"#), Ok(Piece::Dates(1, 2)));
        assert_eq!(piece(r#"{"stream":"gala","from_s":1.5,"to_s":2.0004}"#), Ok(Piece::Times(1500, 2000)));
        for wrong in [
            r#"{"stream":"gala","from_ms":1}"#,
            r#"{"stream":"gala","from_ms":1,"to_s":2}"#,
            r#"{"stream":"gala","from_s":-1,"to_s":2}"#,
            r#"{"stream":"gala","from_s":0,"to_s":1e300}"#,
            r#"{"stream":"gala","show":0}"#,
            r#"{"stream":"../gala"}"#,
            r#"{"stream":"gala","from":1}"#,
            r#"{"stream":"gala","asset":"a/b"}"#,
            "{}",
        ] {
            assert!(order(wrong).is_err(), "{wrong}");
        }
        assert_eq!(order(r#"{"stream":"gala","show":7}"#).unwrap().show, Some(ShowId(7)));
    }

    #[test]
    fn a_path_that_names_the_stream_is_not_contradicted() {
        let gala: Option<StreamName> = Some("gala".parse().unwrap());
        let read = |text: &str| serde_json::from_str::<OrderRequest>(text).unwrap();
        assert_eq!(read("{}").order(gala.clone()).unwrap().stream.as_str(), "gala");
        assert!(read(r#"{"stream":"gala"}"#).order(gala.clone()).is_ok());
        assert!(read(r#"{"stream":"other"}"#).order(gala).is_err());
    }
}
