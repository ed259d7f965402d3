package client

import _ "embed"

// firstJob is the program that weft init writes; JOBNAME stands for the module's name.
//
//go:embed template/main.go.txt
var firstJob string
