//! Tables for people: a line for each row, columns as wide as they must be.

/// Where the cells of a column stand.
#[derive(Debug, Clone, Copy)]
pub(super) enum Side {
    Left,
    Right,
}

/// A table with its head, each line ended.
pub(super) fn table<const N: usize>(
    columns: [(&str, Side); N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut lines = vec![columns.map(|(name, _)| name.to_owned())];
    lines.extend(rows);
    let mut widths = [0; N];
    for line in &lines {
        for (width, cell) in widths.iter_mut().zip(line) {
            *width = cell.chars().count().max(*width);
        }
    }
    let mut table = String::new();
    for line in &lines {
        let cells = line.iter().zip(widths).zip(columns).map(|((cell, width), (_, side))| match side {
            Side::Left => format!("{cell:<width$}"),
            Side::Right => format!("{cell:>width$}"),
        });
        table.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        table.push('\n');
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_as_wide_as_its_longest_cell_in_characters() {
        let rows = [["1", "Küche"], ["100", "a b"]].map(|row| row.map(str::to_owned));
        let table = table([("ID", Side::Right), ("LABEL", Side::Left)], rows);
        assert_eq!(table, " ID  LABEL\n  1  Küche\n100  a b\n");
    }
}
