//! From the three letters of an MP4 file to what playlists and people want.

/// ISO 639-2/T, the shortest BCP 47 tag, the language's own name. Sorted.
const LANGUAGES: &[(&str, &str, &str)] = &[
    ("ara", "ar", "العربية"),
    ("ben", "bn", "বাংলা"),
    ("bul", "bg", "Български"),
    ("cat", "ca", "Català"),
    ("ces", "cs", "Čeština"),
    ("cym", "cy", "Cymraeg"),
    ("dan", "da", "Dansk"),
    ("deu", "de", "Deutsch"),
    ("ell", "el", "Ελληνικά"),
    ("eng", "en", "English"),
    ("est", "et", "Eesti"),
    ("eus", "eu", "Euskara"),
    ("fas", "fa", "فارسی"),
    ("fin", "fi", "Suomi"),
    ("fra", "fr", "Français"),
    ("gle", "ga", "Gaeilge"),
    ("glg", "gl", "Galego"),
    ("heb", "he", "עברית"),
    ("hin", "hi", "हिन्दी"),
    ("hrv", "hr", "Hrvatski"),
    ("hun", "hu", "Magyar"),
    ("hye", "hy", "Հայերեն"),
    ("ind", "id", "Bahasa Indonesia"),
    ("isl", "is", "Íslenska"),
    ("ita", "it", "Italiano"),
    ("jpn", "ja", "日本語"),
    ("kat", "ka", "ქართული"),
    ("kor", "ko", "한국어"),
    ("lav", "lv", "Latviešu"),
    ("lit", "lt", "Lietuvių"),
    ("mkd", "mk", "Македонски"),
    ("mlt", "mt", "Malti"),
    ("msa", "ms", "Bahasa Melayu"),
    ("nld", "nl", "Nederlands"),
    ("nor", "no", "Norsk"),
    ("pol", "pl", "Polski"),
    ("por", "pt", "Português"),
    ("ron", "ro", "Română"),
    ("rus", "ru", "Русский"),
    ("slk", "sk", "Slovenčina"),
    ("slv", "sl", "Slovenščina"),
    ("spa", "es", "Español"),
    ("sqi", "sq", "Shqip"),
    ("srp", "sr", "Српски"),
    ("swa", "sw", "Kiswahili"),
    ("swe", "sv", "Svenska"),
    ("tam", "ta", "தமிழ்"),
    ("tel", "te", "తెలుగు"),
    ("tha", "th", "ไทย"),
    ("tur", "tr", "Türkçe"),
    ("ukr", "uk", "Українська"),
    ("urd", "ur", "اردو"),
    ("vie", "vi", "Tiếng Việt"),
    ("zho", "zh", "中文"),
];

/// The `LANGUAGE` and `NAME` of a track. A language of no entry keeps its three letters, which BCP 47 allows
/// where there is no shorter tag.
pub(super) fn tag_and_name(code: &str) -> (&str, &str) {
    match LANGUAGES.binary_search_by(|(three, _, _)| (*three).cmp(code)) {
        Ok(at) => LANGUAGES.get(at).map_or((code, code), |(_, tag, name)| (tag, name)),
        Err(_) => (code, code),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_found() {
        assert!(LANGUAGES.is_sorted_by(|a, b| a.0 < b.0));
        assert_eq!(tag_and_name("fra"), ("fr", "Français"));
        assert_eq!(tag_and_name("qaa"), ("qaa", "qaa"));
    }
}
