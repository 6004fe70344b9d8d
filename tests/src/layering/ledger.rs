//! Whether the ledger of specifications is true: each clause names a test, and each test is there and runs.

use std::collections::BTreeSet;

/// What the ledger says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    clauses: Vec<Clause>,
    places: Vec<Place>,
}

/// A row of a clause.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Clause {
    line: usize,
    tests: Vec<String>,
}

/// Where a test is.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    line: usize,
    test: String,
    file: String,
}

/// What the rows of a table tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Table {
    Clauses,
    Places,
    Other,
}

impl Ledger {
    /// Reads the text of the ledger. A table whose last column is `test` lists clauses; one of `test` and `file` says where
    /// the tests are; no other is looked at.
    #[must_use]
    pub fn read(text: &str) -> Self {
        let mut ledger = Self::default();
        let mut table = None;
        for (line, row) in (1..).zip(text.lines()) {
            let Some(cells) = cells(row) else {
                table = None;
                continue;
            };
            match table {
                None => table = Some(kind(&cells)),
                Some(_) if cells.iter().all(|cell| cell.chars().all(|c| c == '-')) => {}
                Some(Table::Clauses) => {
                    let tests = cells.last().map(|cell| quoted(cell)).unwrap_or_default();
                    ledger.clauses.push(Clause { line, tests });
                }
                Some(Table::Places) => {
                    let mut names = cells.iter().flat_map(|cell| quoted(cell));
                    let (test, file) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
                    ledger.places.push(Place { line, test, file });
                }
                Some(Table::Other) => {}
            }
        }
        ledger
    }

    /// How many clauses are claimed.
    #[must_use]
    pub fn len(&self) -> usize {
        self.clauses.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clauses.is_empty()
    }

    /// Every untruth, as one line each. `source` gives the text of a file of the repository.
    #[must_use]
    pub fn faults(&self, source: impl Fn(&str) -> Option<String>) -> Vec<String> {
        let mut faults = Vec::new();
        let named: BTreeSet<&String> = self.clauses.iter().flat_map(|clause| &clause.tests).collect();
        let placed: BTreeSet<&String> = self.places.iter().map(|place| &place.test).collect();
        for Clause { line, tests } in &self.clauses {
            if tests.is_empty() {
                faults.push(format!("line {line}: a clause without a test"));
            }
            for test in tests.iter().filter(|test| !placed.contains(test)) {
                faults.push(format!("line {line}: {test} is not in the list of tests"));
            }
        }
        for pair in self.places.windows(2).filter(|pair| pair[0].test >= pair[1].test) {
            faults.push(format!("line {}: {} belongs before {}", pair[1].line, pair[1].test, pair[0].test));
        }
        for Place { line, test, file } in &self.places {
            if !named.contains(test) {
                faults.push(format!("line {line}: no clause names {test}"));
            }
            match source(file) {
                None => faults.push(format!("line {line}: there is no file {file}")),
                Some(text) if !runs(&text, test) => {
                    faults.push(format!("line {line}: {file} has no test {test} that always runs"));
                }
                Some(_) => {}
            }
        }
        faults
    }
}

fn cells(row: &str) -> Option<Vec<&str>> {
    let inner = row.trim().strip_prefix('|')?.strip_suffix('|')?;
    Some(inner.split('|').map(str::trim).collect())
}

fn kind(head: &[&str]) -> Table {
    match head {
        ["test", "file"] => Table::Places,
        [.., "test"] => Table::Clauses,
        _ => Table::Other,
    }
}

/// What stands between back quotes.
fn quoted(cell: &str) -> Vec<String> {
    cell.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether the source has a test of this name that is not ignored.
fn runs(source: &str, test: &str) -> bool {
    let lines: Vec<&str> = source.lines().map(str::trim).collect();
    let is_it = |line: &&str| line.split_once("fn ").is_some_and(|(_, rest)| is_name(rest, test));
    lines.iter().enumerate().filter(|(_, line)| is_it(line)).any(|(at, _)| {
        let above = lines[..at].iter().rev();
        let attributes: Vec<_> =
            above.take_while(|line| line.starts_with("#[") || line.starts_with("//")).collect();
        let is_test = |line: &&&str| line.starts_with("#[test]") || line.starts_with("#[tokio::test");
        attributes.iter().any(is_test) && !attributes.iter().any(|line| line.starts_with("#[ignore"))
    })
}

fn is_name(rest: &str, test: &str) -> bool {
    rest.strip_prefix(test).is_some_and(|rest| rest.starts_with('('))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[test]\nfn one() {}\n\n/// Why.\n#[tokio::test(start_paused = true)]\nasync fn two() {}\n\
        #[test]\n#[ignore = \"long\"]\nfn three() {}\nfn four() {}\n";

    fn faults(clauses: &str, places: &str) -> Vec<String> {
        let text = format!(
            "# Ledger\n\n| clause | what | where | test |\n|---|---|---|---|\n{clauses}\n\
             | clause | why not |\n|---|---|\n| §9 | nobody asks |\n\n| test | file |\n|---|---|\n{places}"
        );
        Ledger::read(&text).faults(|file| (file == "a.rs").then(|| SOURCE.to_owned()))
    }

    #[test]
    fn a_true_ledger_has_no_fault() {
        let clauses = "| §1 | something | `a`, `b` | `one`, `two` |\n| §2 | more | `a` | `one` |\n";
        assert_eq!(faults(clauses, "| `one` | `a.rs` |\n| `two` | `a.rs` |\n"), [""; 0]);
    }

    #[test]
    fn each_untruth_is_found() {
        let row = "| §1 | something | `a` | `one` |\n";
        for (clauses, places, wanted) in [
            ("| §1 | something | `a` | none |\n", "", "line 5: a clause without a test"),
            (row, "", "line 5: one is not in the list of tests"),
            (row, "| `one` | `b.rs` |\n", "line 13: there is no file b.rs"),
            ("", "| `one` | `a.rs` |\n", "line 12: no clause names one"),
            (
                "| §1 | x | y | `one`, `two` |\n",
                "| `two` | `a.rs` |\n| `one` | `a.rs` |\n",
                "line 14: one belongs before two",
            ),
            (
                "| §1 | x | y | `three` |\n",
                "| `three` | `a.rs` |\n",
                "line 13: a.rs has no test three that always runs",
            ),
            (
                "| §1 | x | y | `four` |\n",
                "| `four` | `a.rs` |\n",
                "line 13: a.rs has no test four that always runs",
            ),
            (
                "| §1 | x | y | `on` |\n",
                "| `on` | `a.rs` |\n",
                "line 13: a.rs has no test on that always runs",
            ),
        ] {
            assert_eq!(faults(clauses, places), [wanted]);
        }
    }
}
