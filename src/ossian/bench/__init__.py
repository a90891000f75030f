"""How fast the engines are on this machine, beside what its memory and its arithmetic allow."""
