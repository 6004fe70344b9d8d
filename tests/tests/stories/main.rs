//! Stories: what people do with forebay, end to end, against the real binary.

mod layering;
