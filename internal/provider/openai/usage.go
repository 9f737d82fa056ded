package openai

import (
	"github.com/mixagent/mix/internal/domain"
	"github.com/mixagent/mix/internal/provider"
)

// usageJSON counts tokens. Here the prompt includes what came from the cache.
type usageJSON struct {
	Prompt        int64 `json:"prompt_tokens"`
	Completion    int64 `json:"completion_tokens"`
	Total         int64 `json:"total_tokens"`
	PromptDetails struct {
		Cached     int64 `json:"cached_tokens"`
		CacheWrite int64 `json:"cache_write_tokens"` // OpenRouter
	} `json:"prompt_tokens_details"`
	CompletionDetails struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
	Cached   int64 `json:"cached_tokens"`           // Moonshot
	CacheHit int64 `json:"prompt_cache_hit_tokens"` // DeepSeek
}

func (d *decoder) count(u *usageJSON) {
	if u != nil && (u.Prompt > 0 || u.Completion > 0) {
		d.emit(provider.Delta{Kind: provider.DeltaUsage, Usage: u.usage()})
	}
}

func (u *usageJSON) usage() domain.Usage {
	read := max(u.PromptDetails.Cached, u.Cached, u.CacheHit, 0)
	write := max(u.PromptDetails.CacheWrite, 0)
	reasoning := max(u.CompletionDetails.Reasoning, 0)
	output := max(u.Completion, 0)
	// xAI counts reasoning apart from the completion, all others within it.
	if reasoning > 0 && (reasoning > output || u.Total == u.Prompt+output+reasoning) {
		output += reasoning
	}
	return domain.Usage{
		Input:      max(u.Prompt-read-write, 0),
		Output:     output,
		CacheRead:  read,
		CacheWrite: write,
		Reasoning:  reasoning,
	}
}
