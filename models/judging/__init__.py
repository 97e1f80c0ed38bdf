"""Given predictions: how a table of them is read, and what they are worth."""
