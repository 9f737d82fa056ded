// Package diff changes text files and shows the change: the engine of the
// editing tools.
//
//   - [Replace] puts a text in the place of another, exactly. There is no
//     fuzzy matching: an edit that was meant for another place destroys work,
//     and a model that is told what the file really says corrects itself.
//     A failed replacement is an [EditError] that shows the nearest text, its
//     line numbers and what differs.
//   - [Unified] shows the difference of two texts and counts added and removed
//     lines, in time that does not explode with their size.
//   - [CreateFile] and [ReplaceFile] write a file in one step: whoever reads it
//     sees the old content or the new, also after a crash or a full disk.
//
// # Line endings
//
// A model writes "\n". For matching, "\r\n" in the file or in the old text
// counts as "\n". What is not replaced keeps its bytes; of the lines in the
// replaced region also those that the old and the new text have in common at
// their beginning and end. New lines get the line ending of the line they
// replace, or of the one before, so a file with "\r\n" stays one. A byte order
// mark is kept and does not take part in matching.
package diff
