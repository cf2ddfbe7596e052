//! What the gate said to a push is remembered, and demanded of the ledger ever after.
