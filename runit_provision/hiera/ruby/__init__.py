"""What Puppet leaves to Ruby: patterns of file names, regular expressions, and values as text."""
