//! Date ranges: what may be said of one, and what of it cannot be taken back (RFC 8216bis §4.4.5.1, §6.2.1).

use forebay_packager::live::{DateRange, MAX_RANGES, RangeFault, Refusal, Show, SpliceKind};

use super::{WINDOW, ZERO_MS, show};

fn range(id: &str) -> DateRange {
    DateRange {
        id: id.to_owned(),
        class: Some("com.example.goal".to_owned()),
        start_ms: ZERO_MS + 1000,
        duration_ms: None,
        planned_ms: None,
        splice: None,
        attributes: Vec::new(),
    }
}

fn refused(show: &mut Show, range: DateRange) -> Option<RangeFault> {
    match show.mark(range) {
        Err(Refusal::Range(fault)) => Some(fault),
        _ => None,
    }
}

#[test]
fn what_no_attribute_list_can_hold_is_refused() {
    let long = "x".repeat(1025);
    for text in ["", "a\"b", "a\nb", "a\rb", "a\tb", &long] {
        let fault = refused(&mut show(WINDOW), range(text));
        assert_eq!(fault, Some(RangeFault::Text("ID")), "{text:?}");
        let class = DateRange { class: Some(text.to_owned()), ..range("a") };
        assert_eq!(refused(&mut show(WINDOW), class), Some(RangeFault::Text("CLASS")), "{text:?}");
        let value = DateRange { attributes: vec![("X-A".to_owned(), text.to_owned())], ..range("a") };
        assert_eq!(refused(&mut show(WINDOW), value), Some(RangeFault::Text("X-")), "{text:?}");
    }
    for name in ["A", "x-a", "X-a", "X-A B", "X-A=", "END-ON-NEXT", "X_A", ""] {
        let named = DateRange { attributes: vec![(name.to_owned(), "v".to_owned())], ..range("a") };
        assert_eq!(refused(&mut show(WINDOW), named), Some(RangeFault::Name(name.to_owned())), "{name:?}");
    }
}

#[test]
fn an_attribute_stands_once() {
    let twice = vec![("X-A".to_owned(), "1".to_owned()), ("X-A".to_owned(), "2".to_owned())];
    let fault = refused(&mut show(WINDOW), DateRange { attributes: twice, ..range("a") });
    assert_eq!(fault, Some(RangeFault::Name("X-A".to_owned())));
}

#[test]
fn a_second_tag_of_an_id_may_add_and_not_change() {
    let first = DateRange {
        duration_ms: Some(1000),
        planned_ms: Some(900),
        splice: Some((SpliceKind::Out, vec![0xfc])),
        attributes: vec![("X-A".to_owned(), "1".to_owned())],
        ..range("a")
    };
    let of = |attributes: &[(&str, &str)]| {
        attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    for (what, second) in [
        ("START-DATE", DateRange { start_ms: 0, ..range("a") }),
        ("CLASS", DateRange { class: None, ..range("a") }),
        ("DURATION", DateRange { duration_ms: Some(1001), ..range("a") }),
        ("PLANNED-DURATION", DateRange { planned_ms: Some(901), ..range("a") }),
        ("SCTE35-OUT", DateRange { splice: Some((SpliceKind::Out, vec![0xfd])), ..range("a") }),
        ("X-", DateRange { attributes: of(&[("X-A", "2")]), ..range("a") }),
    ] {
        let mut show = show(WINDOW);
        assert!(show.mark(first.clone()).unwrap());
        assert_eq!(refused(&mut show, second), Some(RangeFault::Changed(what)));
        assert!(!show.mark(first.clone()).unwrap(), "the same again is nothing new");
    }
    let mut show = show(WINDOW);
    assert!(show.mark(range("a")).unwrap());
    let more = [
        DateRange { duration_ms: Some(1000), ..range("a") },
        DateRange { splice: Some((SpliceKind::In, vec![0xfc])), ..range("a") },
        DateRange { attributes: of(&[("X-B", "1")]), ..range("a") },
    ];
    for second in more {
        assert!(show.mark(second).unwrap());
    }
}

#[test]
fn there_are_so_many_and_no_more() {
    let mut show = show(WINDOW);
    for number in 0..MAX_RANGES {
        assert!(show.mark(range(&number.to_string())).unwrap());
    }
    assert_eq!(refused(&mut show, range("more")), Some(RangeFault::TooMany));
    show.end_now();
    assert_eq!(show.mark(range("late")), Err(Refusal::Ended));
}
