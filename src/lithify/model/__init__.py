"""The sealed model: made from a draft, opened without running code, predicting the same bits for ever."""
