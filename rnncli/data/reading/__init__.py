"""Files to tables: opened, decoded and checked by ourselves, then read by pandas a few megabytes at a time."""
