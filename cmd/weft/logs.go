package main

import (
	"context"
	"fmt"

	"github.com/weft-project/weft/client"
)

// logsOptions are those of logs.
func logsOptions() []option {
	return append([]option{
		{names: []string{"container"}, arg: "id", doc: "This container only.", apply: func(s *settings, v string) error {
			s.logs.Container = v
			return nil
		}},
		{names: []string{"file"}, arg: "pattern", doc: "Files of this name only, such as '*.log'.", apply: func(s *settings, v string) error {
			s.logs.File = v
			return nil
		}},
		flag("names", "Names and sizes only.", func(s *settings) { s.logs.Names = true }),
	}, clusterOptions()...)
}

// showLogs is weft logs.
func (p *process) showLogs(ctx context.Context, args []string) error {
	s, c, done, err := p.start("logs", args, false)
	if err != nil || done {
		return err
	}
	defer c.Close()
	if len(s.words) > 1 {
		return &usageError{"logs", fmt.Sprintf("unexpected argument %q: expected one job or application", s.words[1])}
	}
	if len(s.words) == 1 {
		s.logs.Of = s.words[0]
	}
	s.logs.Which = s.which()
	return c.Logs(ctx, s.logs)
}

// planForm is what info was asked for.
func (s *settings) planForm() client.PlanForm {
	switch {
	case s.asJSON:
		return client.PlanJSON
	case s.asText:
		return client.PlanText
	}
	return client.PlanAsFlink
}
