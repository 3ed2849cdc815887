"""What starts runsvdir at boot and again when it dies: init, told by files of ours among its own."""
