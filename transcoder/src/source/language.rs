//! Language codes: containers use three kinds, we keep one.

/// A track's language as ISO 639-2/T, the code of RFC 8216bis's and ISO/IEC 14496-12's readers. Takes ISO 639-1
/// (`de`), ISO 639-2/B (`ger`), ISO 639-2/T (`deu`) and what BCP 47 puts behind them (`de-AT`). `None` for `und`,
/// for the codes that name no language, and for nonsense.
pub(crate) fn parse(text: &str) -> Option<String> {
    let code = text.trim().split(['-', '_']).next()?.to_ascii_lowercase();
    if !code.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return None;
    }
    let found =
        |table: &'static str| table.split_ascii_whitespace().find_map(|pair| pair.strip_prefix(&*code));
    match code.len() {
        2 => found(TWO_LETTERS).map(str::to_owned),
        3 if NO_LANGUAGE.contains(&&*code) => None,
        3 => Some(found(BIBLIOGRAPHIC).map_or(code.clone(), str::to_owned)),
        _ => None,
    }
}

/// Undetermined, several, none, not coded.
const NO_LANGUAGE: [&str; 4] = ["und", "mul", "zxx", "mis"];

/// The twenty codes of ISO 639-2/B that differ from ISO 639-2/T, each followed by the latter.
const BIBLIOGRAPHIC: &str = "\
    albsqi armhye baqeus burmya chizho czeces dutnld frefra geokat gerdeu \
    greell iceisl macmkd maomri maymsa perfas rumron sloslk tibbod welcym";

/// The codes of ISO 639-1, each followed by that of ISO 639-2/T.
const TWO_LETTERS: &str = "\
    aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bibis \
    bmbam bnben bobod brbre bsbos cacat ceche chcha cocos crcre csces cuchu cvchv cycym dadan dedeu \
    dvdiv dzdzo eeewe elell eneng eoepo esspa etest eueus fafas ffful fifin fjfij fofao frfra fyfry \
    gagle gdgla glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyhye hzher iaina \
    idind ieile igibo iiiii ikipk ioido isisl itita iuiku jajpn jvjav kakat kgkon kikik kjkua kkkaz \
    klkal kmkhm knkan kokor krkau kskas kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin lolao \
    ltlit lulub lvlav mgmlg mhmah mimri mkmkd mlmal mnmon mrmar msmsa mtmlt mymya nanau nbnob ndnde \
    nenep ngndo nlnld nnnno nonor nrnbl nvnav nynya ococi ojoji omorm orori ososs papan pipli plpol \
    pspus ptpor quque rmroh rnrun roron rurus rwkin sasan scsrd sdsnd sesme sgsag sisin skslk slslv \
    smsmo snsna sosom sqsqi srsrp ssssw stsot susun svswe swswa tatam tetel tgtgk ththa titir tktuk \
    tltgl tntsn toton trtur tstso tttat twtwi tytah uguig ukukr ururd uzuzb veven vivie vovol wawln \
    wowol xhxho yiyid yoyor zazha zhzho zuzul";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_spellings_of_a_language_are_one() {
        for text in ["de", "ger", "deu", "DEU", "de-AT", "de_CH"] {
            assert_eq!(parse(text).as_deref(), Some("deu"), "{text}");
        }
        assert_eq!(parse("en").as_deref(), Some("eng"));
        assert_eq!(parse("zh").as_deref(), Some("zho"));
    }

    #[test]
    fn what_names_no_language_is_none() {
        for text in ["und", "mul", "zxx", "", "x", "xx", "english", "e1", "\u{fc}b"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_tables_are_whole() {
        assert!(TWO_LETTERS.split_ascii_whitespace().all(|pair| pair.len() == 5));
        assert_eq!(TWO_LETTERS.split_ascii_whitespace().count(), 183);
        assert!(BIBLIOGRAPHIC.split_ascii_whitespace().all(|pair| pair.len() == 6));
        assert_eq!(BIBLIOGRAPHIC.split_ascii_whitespace().count(), 20);
    }
}
