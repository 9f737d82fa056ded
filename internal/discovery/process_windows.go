package discovery

import "golang.org/x/sys/windows"

// processAlive reports whether a process exists and has not ended.
func processAlive(pid int) bool {
	h, err := windows.OpenProcess(windows.SYNCHRONIZE, false, uint32(pid))
	if err != nil {
		return err == windows.ERROR_ACCESS_DENIED // it is there, and another user's
	}
	defer func() { _ = windows.CloseHandle(h) }()
	// The handle of a process is signalled once it has ended.
	event, err := windows.WaitForSingleObject(h, 0)
	return err == nil && event == uint32(windows.WAIT_TIMEOUT)
}
