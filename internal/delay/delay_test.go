package delay_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weft-project/weft/internal/delay"
)

func TestFor(t *testing.T) {
	if err := delay.For(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
	why := errors.New("told to end")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if err := delay.For(ctx, time.Hour); !errors.Is(err, why) {
		t.Errorf("the end of the context: %v", err)
	}
}
