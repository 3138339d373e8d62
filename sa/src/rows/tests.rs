//! Every core type survives its row, and a row that no Cairn has written is refused.
