"""What each pipeline will do, before it does it: settings from flags, the input's inventory, estimates."""
