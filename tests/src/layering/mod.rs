//! The walls between the rooms: which crate may import which, and inside origin which room may name which.
//!
//! A wall that nothing checks is a habit, and habits erode. [`graph`] reads `cargo metadata`, [`paths`] reads the source
//! token by token (so comments, strings and the insides of macros are seen for what they are), [`rooms`] holds the plan.
//! The same holds for what documents claim: [`ledger`] looks for the test of each clause.

pub mod graph;
pub mod ledger;
pub mod paths;
pub mod rooms;
