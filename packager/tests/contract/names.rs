//! Names print as they are parsed.

use forebay_packager::asset::{AssetName, RenditionName, Revision};
use proptest::prelude::*;

proptest! {
    #[test]
    fn a_name_prints_as_it_was_parsed(asset in "[A-Za-z0-9][A-Za-z0-9._-]{0,126}[A-Za-z0-9_-]",
        revision in "[a-z0-9]{1,40}", rendition in "[a-z][a-z0-9-]{0,63}") {
        prop_assert_eq!(asset.parse::<AssetName>().unwrap().to_string(), asset);
        prop_assert_eq!(revision.parse::<Revision>().unwrap().to_string(), revision);
        prop_assert_eq!(rendition.parse::<RenditionName>().unwrap().to_string(), rendition);
    }

    #[test]
    fn whatever_is_taken_for_a_name_can_neither_leave_its_folder_nor_break_a_line(text in "\\PC{0,12}|[./a\\\\%\u{0}\n-]{0,6}") {
        let taken = [
            text.parse::<AssetName>().is_ok(),
            text.parse::<Revision>().is_ok(),
            text.parse::<RenditionName>().is_ok(),
        ];
        if taken.contains(&true) {
            prop_assert!(!text.is_empty() && !text.starts_with('.') && !text.ends_with('.'));
            prop_assert!(text.bytes().all(|b| b.is_ascii_graphic() && !b"/\\%?#\"".contains(&b)));
        }
    }
}
