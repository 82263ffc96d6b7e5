"""Hair recolouring: dye, foreground estimation, cut-outs and collages."""
