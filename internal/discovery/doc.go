// Package discovery is how the programs of one user find the server of a data
// directory, and how that directory is kept to one server.
//
// Two files, because they answer two questions:
//
//   - mix.lock is locked by the operating system for as long as the server
//     lives, however it dies. It decides ([Acquire]). It has no content.
//   - server.lock says where the server is: process, address, version, instance
//     and token, as JSON, readable by its owner only. It only informs, and may
//     be stale. [Find] believes it when the process lives and the address
//     answers, within half a second, as the instance that the file names.
//
// A server acquires the lock before it opens the database, publishes its
// address once it is ready, and unpublishes it as soon as it begins to stop, so
// that new clients do not come while it finishes. Between those moments the
// lock is held and nothing is found; who wants a server then tries again.
package discovery
