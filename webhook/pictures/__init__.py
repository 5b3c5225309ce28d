"""Pictures as SVG, made here: no script draws them. Colours are classes, since a page allows no inline style."""
