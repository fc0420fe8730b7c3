"""Attacks on the module; the controls that a test is about stand in its text."""
