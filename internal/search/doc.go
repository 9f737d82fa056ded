// Package search finds files by name (Glob) and lines by pattern (Grep) in a
// directory tree, inside this process: no ripgrep and no git is needed.
//
// # What is searched
//
// A [Tree] names a root directory and, within it, the directory or file to
// search. Nothing outside the root is ever opened. Symbolic links are not
// followed; on Linux the kernel enforces that (openat2), elsewhere [os.Root]
// keeps every open below the root.
//
// As ripgrep does, a walk leaves out
//
//   - what .gitignore files say: nested ones, those of parent directories up to
//     the repository, .git/info/exclude, and the user's global file, with git's
//     own precedence; .ignore files are read too and win over all of these. A
//     .gitignore counts outside of a repository as well. Whether git tracks an
//     ignored file is not looked up;
//   - hidden files and directories, those whose name starts with a dot, unless
//     [Tree.Hidden] is set, the path to search lies within one, or a glob names
//     one: ".github/**" and "**/.env*" do, "**" does not. The directory ".git"
//     is only searched when the path to search lies within it;
//   - binary files: a NUL in the first 8 KiB means that a file is not searched,
//     a later one ends its search there.
//
// A directory or file that is named as [Tree.Path] is searched even where an
// ignore rule names it.
//
// # How it is fast
//
// Several workers share one stack of directories and small batches of files.
// From the pattern a small set of literals is taken, one of which every match
// must contain; they are looked for with the processor's vector instructions,
// rarest byte first, and the regular expression only sees lines that hold one.
// A pattern without such a literal runs on RE2 over whole buffers. The standard
// library's regexp is the judge of single lines and the fallback.
//
// # Order and limits
//
// Results do not depend on timing. Lists of files are sorted by modification
// time, newest first, then by path; lines and counts are in path order. Totals
// are exact also where the list was cut. Files are read through buffers of
// bounded size, so memory does not grow with the size of a file.
package search
