package daemon_test

// processRuns is asked on Unix only.
func processRuns(int) bool { return false }
