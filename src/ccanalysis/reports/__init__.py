"""From notebooks to published pages: execute, render, publish."""
