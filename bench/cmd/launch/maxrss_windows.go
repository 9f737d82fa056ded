package main

import "os"

// maxRSS is 0: the state of a process that has ended does not say.
func maxRSS(*os.ProcessState) int64 { return 0 }
