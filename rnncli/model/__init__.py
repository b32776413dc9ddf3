"""The recurrence: reference, cells, a cell over time, and the network around it."""
