package demo

import (
	"context"
	"fmt"
	"iter"

	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// Name is the provider's name, the part of a model name before the slash.
const Name = "demo"

// DefaultRate is a speed at which people can follow, in characters a second.
const DefaultRate = 400

// Options are the settings of the provider.
type Options struct {
	// Rate is how many characters are streamed in a second; 0 or less means
	// without delay.
	Rate float64
}

// Provider plays scripts. It keeps no state between calls.
type Provider struct{ rate float64 }

// New returns the provider.
func New(o Options) *Provider { return &Provider{rate: o.Rate} }

// Name returns [Name].
func (p *Provider) Name() string { return Name }

// answer is one answer of a scripted model.
type answer struct {
	reasoning, text string
	calls           []call
	whole           bool // in one piece and at once
}

// call is a tool call of an answer.
type call struct{ tool, input string }

// Stream plays the answer that the script of the model gives to the history.
func (p *Provider) Stream(ctx context.Context, req *provider.Request) iter.Seq2[provider.Delta, error] {
	return func(yield func(provider.Delta, error) bool) {
		a, err := script(req)
		if err != nil {
			yield(provider.Delta{}, err)
			return
		}
		pl := player{ctx: ctx, yield: yield, rate: p.rate}
		pl.play(a, len(req.Messages))
	}
}

// script returns the next answer of the model that req names.
func script(req *provider.Request) (answer, error) {
	prompt, answers := turn(req.Messages)
	switch req.Model {
	case "", "demo", "survey":
		return survey(req.Tools, answers), nil
	case "echo":
		return answer{text: prompt, whole: true}, nil
	case "steps":
		return playSteps(prompt, len(answers))
	}
	return answer{}, &provider.Error{
		Kind: provider.KindNotFound, Vendor: Name, Model: req.Model, Final: true,
		Message: "there are demo/survey, demo/echo and demo/steps",
	}
}

// turn returns the text of the last user message and the model's answers since.
func turn(history []domain.Message) (prompt string, answers []domain.Message) {
	for i := len(history) - 1; i >= 0; i-- {
		if history[i].Role == domain.RoleUser {
			return history[i].Text(), history[i+1:]
		}
	}
	return "", history
}

// badRequest is the error for a prompt that a script cannot play.
func badRequest(format string, args ...any) error {
	return &provider.Error{Kind: provider.KindBadRequest, Vendor: Name, Final: true, Message: fmt.Sprintf(format, args...)}
}
