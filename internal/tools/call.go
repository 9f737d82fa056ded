package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/permission"
)

// call is one call on its way through a round.
type call struct {
	domain.ToolCall
	index  int
	phase  phase
	claims []claim
	ran    bool // its goroutine was told to start it

	tool    Tool
	asked   permission.Call
	plan    *Plan
	verdict permission.Verdict
	stale   bool   // planned before a call that may have changed what it saw
	note    string // goes before the text for the model
}

// maxName bounds the name of an unknown tool in the journal, in bytes.
const maxName = 200

// prepare takes a call as far as the gate's verdict, or ends it.
func (r *round) prepare(c *call) {
	written := c.Tool
	input := c.Input
	c.Input = json.RawMessage("{}")
	if len(strings.TrimSpace(string(input))) == 0 {
		input = c.Input // models leave out an input without fields
	}
	valid := json.Valid(input)
	if valid {
		c.Input = input
	}
	tool, ok := r.registry.Lookup(written)
	if !ok {
		c.Tool = cutText(strings.ToValidUTF8(written, "?"), maxName)
		r.fail(c, r.unknown(c.Tool))
		return
	}
	c.tool, c.Tool = tool, tool.Name()
	if len(input) > r.o.MaxInput {
		r.fail(c, fmt.Errorf("the input of this call has %d bytes, the limit is %d; split the work into several calls (to write a large file: Write its first part, then add the rest with Edit, or make it with a command)", len(input), r.o.MaxInput))
		return
	}
	if !valid {
		r.fail(c, badJSON(input))
		return
	}
	if a, ok := tool.(AliasTool); ok && written != c.Tool {
		adapted, err := a.FromAlias(written, input)
		if err != nil {
			r.fail(c, err)
			return
		}
		c.Input = adapted
	}
	if err := r.judge(c); err != nil {
		r.fail(c, err)
		return
	}
	c.RequestID = c.verdict.Request.ID
	c.claims = claimsOf(c.plan.Accesses, c.verdict.ReadOnly)
}

func (r *round) unknown(name string) error {
	text := fmt.Sprintf("there is no tool named %q", name)
	if near := r.registry.nearest(name); near != "" {
		text += fmt.Sprintf("; did you mean %s?", near)
	}
	names := make([]string, 0, len(r.registry.tools))
	for _, t := range r.registry.tools {
		names = append(names, t.Name())
	}
	return fmt.Errorf("%s The tools are: %s", strings.TrimSuffix(text, "?")+".", strings.Join(names, ", "))
}

func badJSON(input json.RawMessage) error {
	var v any
	err := json.Unmarshal(input, &v)
	where := ""
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		from, to := max(0, int(syntax.Offset)-40), min(len(input), int(syntax.Offset)+20)
		where = fmt.Sprintf(" at byte %d, near %q", syntax.Offset, strings.ToValidUTF8(string(input[from:to]), "?"))
	}
	return fmt.Errorf("the input of this call is not valid JSON: %v%s; send one JSON object, with quotes, backslashes and line ends in strings escaped", err, where)
}

// judge plans the call and lets the gate decide. An error is for the model.
func (r *round) judge(c *call) error {
	plan, err := r.planned(c)
	if err != nil {
		return err
	}
	c.plan = plan
	c.asked = permission.Call{
		ID: c.ID, Tool: c.Tool, Aliases: c.tool.Aliases(), Input: c.Input,
		Description: plan.Description, Diff: plan.Diff, Accesses: plan.Accesses,
	}
	c.verdict = r.gate.Judge(r.ctx, r.Subject, c.asked)
	if plan.Distrust != "" && c.verdict.ReadOnly {
		distrust(&c.verdict, c.asked, plan.Distrust)
	}
	switch {
	case c.verdict.Outcome == domain.OutcomeDeny:
		r.deny(c, "This call was denied"+because(c.verdict.Rule, c.verdict.Reason)+
			" It was not run. Do not try to reach the same effect in another way; go on without it, or ask the user.")
	case !r.planMode(c):
		r.deny(c, "The session is in plan mode: only calls that read may run. This call was not run. Finish the plan, or ask the user to leave plan mode.")
		r.overrule(c)
	case c.verdict.Outcome != domain.OutcomeAllow && c.verdict.Outcome != "":
		return fmt.Errorf("the gate gave no clear answer (%q), so the call was not run", c.verdict.Outcome)
	}
	return nil
}

// distrust takes back that a command only reads, and with it a permission that
// may rest on that. What a rule allows by name stays allowed, if it is a single
// command: of a line with several parts the verdict names one rule only.
func distrust(v *permission.Verdict, c permission.Call, why string) {
	v.ReadOnly = false
	named := strings.HasPrefix(v.Rule, c.Tool+"(") || v.Rule == c.Tool
	for _, a := range c.Accesses {
		named = named && !strings.ContainsAny(a.Command, ";&|<>$`(\n")
	}
	if v.Outcome != domain.OutcomeAllow || named {
		return
	}
	v.Outcome, v.By, v.Rule, v.Reason, v.Decision = "", "", "", why, nil
	v.Request.Asked, v.Request.Reason = true, why
}

// planMode reports whether the session's mode lets the call run, whatever the
// gate said.
func (r *round) planMode(c *call) bool {
	planning := r.Subject.Policy.Mode == domain.ModePlan
	for _, p := range r.Subject.Inherited {
		planning = planning || p.Mode == domain.ModePlan
	}
	if !planning {
		return true
	}
	for _, a := range c.plan.Accesses {
		reads := a.Can == domain.CanRead || a.Can == domain.CanInteract
		if !reads && (a.Can != domain.CanExecute || !c.verdict.ReadOnly) {
			return false
		}
	}
	return true
}

// overrule makes the recorded decision say what became of the call.
func (r *round) overrule(c *call) {
	if c.verdict.Request.ID == "" {
		return
	}
	d := domain.Decision{ID: domain.NewID(), RequestID: c.verdict.Request.ID, SessionID: c.SessionID, CreatedAt: r.o.Now()}
	if c.verdict.Decision != nil {
		d = *c.verdict.Decision
	}
	d.Outcome, d.By, d.Rule, d.Reason = domain.OutcomeDeny, "mode", string(domain.ModePlan), "only calls that read run in plan mode"
	c.verdict.Outcome, c.verdict.Decision = domain.OutcomeDeny, &d
}

// planned is the tool's plan, made complete and checked.
func (r *round) planned(c *call) (plan *Plan, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = r.panicked(c, p)
		}
	}()
	env := r.env(c)
	plan, err = c.tool.Plan(r.ctx, &env, c.Input)
	if err != nil {
		return nil, err
	}
	if plan == nil || plan.Run == nil {
		return nil, fmt.Errorf("the tool %s has no plan for this input", c.Tool)
	}
	can := c.tool.Capabilities()
	if len(plan.Accesses) == 0 {
		for _, k := range can {
			plan.Accesses = append(plan.Accesses, permission.Access{Can: k})
		}
	}
	for _, a := range plan.Accesses {
		if !slices.Contains(can, a.Can) {
			return nil, fmt.Errorf("the tool %s does not declare the capability %q that this call needs", c.Tool, a.Can)
		}
	}
	return plan, nil
}

// env is the call's own copy of the batch's environment.
func (r *round) env(c *call) Env {
	env := r.Batch.Env
	env.CallID = c.ID
	env.ReadOnly = c.verdict.ReadOnly
	env.Closed = c.verdict.Closed
	env.Output = func(string) {}
	return env
}

// start brings an allowed call to its end. It runs in the call's goroutine.
func (r *round) start(c *call) {
	defer func() { r.events <- c }()
	if r.ctx.Err() != nil {
		r.interrupt(c)
		r.end(c)
		return
	}
	if c.stale {
		if err := r.renew(c); err != nil {
			r.fail(c, err)
			r.end(c)
			return
		}
	}
	if c.State != domain.CallStarted {
		if err := r.Journal.Start(r.keep, c.ID); err != nil {
			r.broken(err)
			r.interrupt(c)
			return
		}
		c.State, c.StartedAt = domain.CallStarted, r.o.Now()
	}
	r.Emitter.Emit(domain.ToolStart{
		CallID: c.ID, Tool: c.Tool, Progress: "Executing tool: " + c.Tool, ParentToolCallID: r.Subject.ParentToolCallID,
	})
	r.finish(c)
	r.end(c)
}

// renew plans a call once more, because calls before it may have changed what
// the first plan saw. What was allowed is what the first plan would touch.
func (r *round) renew(c *call) error {
	plan, err := r.planned(c)
	if err != nil {
		return err
	}
	if !slices.Equal(plan.Accesses, c.plan.Accesses) {
		return errors.New("earlier calls changed what this call would touch, so it was not run; call it again")
	}
	c.plan = plan
	return nil
}

// finish runs the tool and fills in what came of it.
func (r *round) finish(c *call) {
	out, err := r.invoke(c)
	switch {
	case err == nil:
		c.State, c.IsError, c.Text = domain.CallFinished, out.IsError, out.Text
	case r.ctx.Err() != nil && (errors.Is(err, r.ctx.Err()) || errors.Is(err, context.Cause(r.ctx))):
		c.State, c.IsError = domain.CallInterrupted, true
		c.Text = join("This call was interrupted and may have had effects. Check before you repeat it.", out.Text)
	default:
		c.State, c.IsError = domain.CallFailed, true
		c.Text = join("Error: "+err.Error(), out.Text)
	}
	c.Text = r.text(c, c.Text)
	c.Result = r.result(c, out.Result)
}

func (r *round) invoke(c *call) (out Output, err error) {
	defer func() {
		if p := recover(); p != nil {
			out, err = Output{}, r.panicked(c, p)
		}
	}()
	env := r.env(c)
	live := liveText{emit: func(text string) {
		r.Emitter.Emit(domain.Output{CallID: c.ID, Text: text, ParentToolCallID: r.Subject.ParentToolCallID})
	}}
	defer live.end()
	env.Output = live.add
	return c.plan.Run(r.ctx, &env)
}

func (r *round) panicked(c *call, p any) error {
	r.o.Logger.Error("a tool panicked", "tool", c.Tool, "call", c.ID, "session", c.SessionID, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
	return fmt.Errorf("the tool %s broke down because of a mistake in the program (details are in the log); the call may have had effects", c.Tool)
}

// ask waits for the person's answer. It runs in the call's goroutine and leaves
// the call allowed, or ended and recorded.
func (r *round) ask(c *call) {
	defer func() { r.events <- c }()
	d, err := r.gate.Ask(r.ctx, r.Subject, c.asked, c.verdict)
	switch {
	case r.ctx.Err() != nil && (err != nil || d.Outcome != domain.OutcomeDeny):
		r.interrupt(c)
	case err != nil:
		r.o.Logger.Error("a permission could not be asked", "tool", c.Tool, "call", c.ID, "session", c.SessionID, "error", err)
		r.deny(c, "The user could not be asked for permission ("+err.Error()+"), so this call was not run.")
	case d.Outcome == domain.OutcomeAllow:
		c.State = domain.CallAllowed
		if err := r.edit(c, d.Input); err != nil {
			r.fail(c, err)
		}
	case d.Outcome == domain.OutcomeDeny && d.Reason != "":
		r.deny(c, "The user denied this call. Reason: "+d.Reason)
	case d.Outcome == domain.OutcomeDeny:
		r.deny(c, "The user denied this call. It was not run. Ask what to do instead, or go on without it.")
	case d.Outcome == domain.OutcomeExpired:
		r.deny(c, "Nobody answered the permission request in time, so this call was denied and not run. Go on without it, or say at the end what needs permission.")
	default:
		r.deny(c, "The permission request was withdrawn, so this call was not run.")
	}
	if c.State.Ended() {
		r.end(c)
	}
}

// edit replaces the input with the one that the person allowed. A rule that
// denies still wins; what the gate would ask has its answer.
func (r *round) edit(c *call, input json.RawMessage) error {
	if len(input) == 0 || string(input) == string(c.Input) {
		return nil
	}
	if !json.Valid(input) {
		return errors.New("the user allowed this call with another input, which is not valid JSON, so it was not run")
	}
	c.Input = slices.Clone(input)
	c.note = "The user changed the input of this call to: " + cutText(string(input), 2000)
	if err := r.judge(c); err != nil {
		return fmt.Errorf("the user changed the input of this call to %s, which cannot be run: %w", cutText(string(input), 2000), err)
	}
	return nil
}

// end records a call that has ended, then announces it.
func (r *round) end(c *call) {
	if err := r.Journal.End(r.keep, c.ToolCall); err != nil {
		r.broken(err)
		return
	}
	r.announce(c)
}

func (r *round) announce(c *call) {
	parent := r.Subject.ParentToolCallID
	r.Emitter.Emit(domain.Result{
		CallID: c.ID, Tool: c.Tool, Text: c.Text, Result: c.Result, IsError: c.IsError, State: c.State, ParentToolCallID: parent,
	})
	r.Emitter.Emit(domain.ToolComplete{
		CallID: c.ID, Tool: c.Tool, Progress: progress(&c.ToolCall), Success: !c.IsError, ParentToolCallID: parent,
	})
}

func progress(c *domain.ToolCall) string {
	took := c.EndedAt.Sub(c.StartedAt).Round(time.Millisecond)
	switch {
	case c.State == domain.CallDenied:
		return c.Tool + " was denied"
	case c.StartedAt.IsZero():
		return c.Tool + " was not run"
	case c.State == domain.CallInterrupted:
		return fmt.Sprintf("%s was interrupted after %s", c.Tool, took)
	case c.IsError:
		return fmt.Sprintf("%s failed after %s", c.Tool, took)
	default:
		return fmt.Sprintf("%s finished in %s", c.Tool, took)
	}
}
