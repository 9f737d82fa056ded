package permission

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/mixagent/mix/internal/domain"
)

// Example says what one rule does with one call, in the session directory
// /home/ann/app of a person whose home is /home/ann, in the mode ask with the
// directory granted. The tests run every one of them.
type Example struct {
	Rule    string // with "deny " or "ask " in front where it does not allow
	Call    string // as [ParseCallText] reads it
	Outcome domain.Outcome
	Note    string
}

// Examples returns the table that documents rules.
func Examples() []Example {
	const allow, deny, ask = domain.OutcomeAllow, domain.OutcomeDeny, domain.Outcome("")
	return []Example{
		// Commands.
		{"Bash(npm test)", "Bash(npm test)", allow, "exactly this command"},
		{"Bash(npm test)", "Bash(npm test -- --watch)", ask, "no more words"},
		{"Bash(npm test)", `Bash("npm" 'test')`, allow, "quotes do not matter"},
		{"Bash(npm run test:*)", "Bash(npm run test --silent)", allow, "any words after these"},
		{"Bash(npm run test:*)", "Bash(npm run tests)", ask, "whole words only"},
		{"Bash(npm run test*)", "Bash(npm run test-all)", allow, "* stands for text within one word"},
		{"Bash(npm run *)", "Bash(npm run build)", allow, "a space and * is the same as :*"},
		{"Bash(git commit:*)", "Bash(git commit -m 'a; b')", allow, "quoted text is one word"},
		{"Bash(git commit:*)", "Bash(git commit -m x && git push)", ask, "every part has to be allowed"},
		{"Bash(git commit:*)", "Bash(git commit -m x && git status)", allow, "reads are allowed by themselves"},
		{"Bash(git commit:*)", "Bash(git commit -m \"$(curl evil.example)\")", ask, "a substitution is a part"},
		{"Bash(git commit:*)", "Bash(GIT_SSH=x git commit)", ask, "a variable in front changes the command"},
		{"Bash(go test:*)", "Bash(timeout 60 go test ./...)", allow, "wrappers are looked through"},
		{"Bash(go test:*)", "Bash(bash -c 'go test ./...')", allow, "also a shell with literal text"},
		{"Bash(go test:*)", "Bash(go test ./... > out.txt)", ask, "a redirection is an edit of that file"},
		{"Bash(go test:*)", "Bash(go test ./... 2>&1 | tail -5)", allow, ""},
		{"Bash(./run.sh)", "Bash(./run.sh)", allow, ""},
		{"Bash(run.sh)", "Bash(./run.sh)", ask, "a program named by its path is another one"},
		{"Bash(git:*)", "Bash(git push)", allow, "a wide rule"},
		{"Bash(git:*)", "Bash(git push --force)", ask, "does not reach what destroys"},
		{"Bash(git push --force:*)", "Bash(git push --force origin x)", allow, "a rule that names it does"},
		{"Bash(rm:*)", "Bash(rm -r build)", allow, "rm names deleting"},
		{"Bash", "Bash(rm -r build)", ask, "a bare tool is a wide rule too"},
		{"Bash", "Bash(make all > log.txt)", allow, "it covers redirections"},
		{"Bash(sudo:*)", "Bash(sudo ls)", ask, "always asks"},
		{"Bash(mix:*)", "Bash(mix run hello)", ask, "always asks"},
		{"deny Bash(git push:*)", "Bash(git push origin main)", deny, ""},
		{"deny Bash(git push:*)", "Bash(git -C sub -c a=b push)", deny, "options in front do not hide it"},
		{"deny Bash(git push:*)", "Bash(ls && env A=b nice git push)", deny, "nor do wrappers"},
		{"deny Bash(git push:*)", "Bash(/usr/bin/git push)", deny, "nor does the path"},
		{"deny Bash(git push:*)", "Bash(git $x)", ask, "it may be the same"},
		{"deny Bash(rm:*)", "Bash(find . -exec rm {} +)", deny, ""},
		{"deny Bash(curl:*)", "Bash(echo $(curl evil.example))", deny, ""},
		{"ask Bash(git log:*)", "Bash(git log)", ask, "ask comes before allow"},

		// Paths.
		{"Edit(src/**)", "Edit(src/a/b.go)", allow, "relative to the session's directory"},
		{"Edit(./src/**)", "Edit(src/a.go)", allow, ""},
		{"Edit(src)", "Edit(src/a.go)", allow, "a directory means all below it"},
		{"Edit(src/**)", "Edit(srcs/a.go)", ask, "a sibling is another place"},
		{"Edit(src/*)", "Edit(src/a/b.go)", ask, "* stays within one name"},
		{"Edit(**/*.md)", "Edit(docs/x/a.md)", allow, ""},
		{"Edit(*.md)", "Edit(docs/a.md)", ask, "without ** only in the directory itself"},
		{"Edit(src/**)", "Edit(src/../go.mod)", ask, "paths are resolved first"},
		{"Edit(src/**)", "Write(src/new.go)", allow, "Edit means everything that writes files"},
		{"Edit(src/**)", "MultiEdit(src/a.go)", allow, ""},
		{"file_edit(src/**)", "Edit(src/a.go)", allow, "other names of tools work"},
		{"Edit(src/**)", "Bash(echo x > src/a.txt)", allow, "a redirection is an edit"},
		{"Edit(**)", "Edit(.git/hooks/pre-commit)", ask, "not what makes others run commands"},
		{"Edit(.git/hooks/**)", "Edit(.git/hooks/pre-commit)", allow, "unless the rule names it"},
		{"Edit(**)", "Edit(package-lock.json)", allow, ""},
		{"Edit(~/notes/**)", "Edit(/home/ann/notes/a.md)", allow, "~ is the home directory"},
		{"Edit", "Edit(/tmp/a)", allow, "the tool without a pattern"},
		{"Read(/etc/hosts)", "Read(/etc/hosts)", allow, "absolute"},
		{"Read(/etc/hosts)", "Bash(cat /etc/hosts)", allow, "a command that reads is a read"},
		{"Read(~/**)", "Read(/home/ann/.ssh/id_ed25519)", ask, "not what holds secrets"},
		{"Read(~/.ssh/config)", "Read(/home/ann/.ssh/id_ed25519)", ask, ""},
		{"Read(~/.ssh/**)", "Read(/home/ann/.ssh/id_ed25519)", allow, "unless the rule names it"},
		{"*", "Read(/home/ann/.local/share/mix/mix.db)", deny, "Mix's own data is closed, always"},
		{"*", "Edit(/home/ann/.config/mix/config.json)", deny, ""},
		{"*", "Bash(cat ~/.config/mix/config.json)", deny, "in commands too"},
		{"deny Read(secret/**)", "Read(secret/key)", deny, ""},
		{"deny Read(secret/**)", "Grep(secret)", deny, "Read means everything that reads files"},
		{"deny Read(secret/**)", "Bash(cat secret/key)", deny, "also commands"},
		{"deny Read(secret/**)", "Bash(grep -r x .)", ask, "it would read what is closed"},
		{"deny Read(secret/**)", "Bash(base64 < secret/key)", deny, ""},
		{"deny Read(secret/**)", "Bash(python3 x.py --in=secret/key)", deny, ""},
		{"deny Read(**/.env)", "Read(a/b/.env)", deny, "at any depth"},
		{"deny Read(**/.env)", "Bash(cat .env)", deny, ""},
		{"deny Edit(go.sum)", "Bash(rm go.sum)", deny, ""},
		{"deny Edit(go.sum)", "Bash(cat go.sum)", allow, "reading is not editing"},
		{"deny Edit(go.sum)", "Bash(true > go.sum)", deny, ""},
		{"deny Read", "Read(a)", deny, ""},

		// The rest.
		{"WebFetch(domain:go.dev)", "WebFetch(https://go.dev/doc)", allow, "the host, whatever the path"},
		{"WebFetch(domain:go.dev)", "WebFetch(https://pkg.go.dev/)", ask, "not those below it"},
		{"WebFetch(domain:*.go.dev)", "WebFetch(https://pkg.go.dev/)", allow, "those below it"},
		{"WebFetch(domain:*.go.dev)", "WebFetch(https://evilgo.dev/)", ask, ""},
		{"WebFetch(domain:go.dev)", "WebFetch(https://go.dev.evil.example/)", ask, ""},
		{"WebFetch(domain:go.dev)", "WebFetch(https://go.dev@evil.example/)", ask, ""},
		{"WebFetch", "WebFetch(http://169.254.169.254/latest)", ask, "this machine and its network always ask"},
		{"*", "WebFetch(http://localhost:8080/)", ask, ""},
		{"WebFetch(domain:localhost)", "WebFetch(http://localhost:8080/)", allow, "unless the rule names the host"},
		{"web_fetch(domain:go.dev)", "WebFetch(https://GO.dev/)", allow, ""},
		{"deny WebFetch(domain:evil.example)", "Bash(curl https://evil.example/x)", deny, "also in commands"},
		{"PythonExecution", "PythonExecution", allow, "a tool without targets"},
		{"mcp__github__*", "mcp__github__list_issues", allow, "* at the end of a name"},
		{"deny *", "Read(a)", deny, "every tool"},
		{"deny Task", "Task", deny, ""},
	}
}

// WriteExamples writes the table for documentation, aligned in columns.
func WriteExamples(w io.Writer) error {
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "RULE\tCALL\tOUTCOME\t")
	for _, e := range Examples() {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", e.Rule, e.Call, outcomeWord(e.Outcome), e.Note)
	}
	return tw.Flush()
}
