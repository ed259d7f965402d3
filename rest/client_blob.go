package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// HasBlob asks whether an uploaded file is there, and where it is or would be. kept is false where the JobManager keeps no files.
func (c *Client) HasBlob(ctx context.Context, sha256 string) (status BlobStatus, kept bool, err error) {
	status, err = get[BlobStatus](ctx, c, "/weft/blobs/"+sha256)
	var answer *Error
	if errors.As(err, &answer) && answer.Status == http.StatusNotFound {
		return BlobStatus{}, false, nil
	}
	return status, true, err
}

// PutBlob uploads a file of this hash and size.
func (c *Client) PutBlob(ctx context.Context, sha256 string, size int64, content io.Reader) error {
	const path = "/weft/blobs/"
	// The content can be read once: whether a ticket is asked for has to be known before.
	c.greet(ctx)
	response, err := c.send(ctx, func() (*http.Request, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodPut, c.base+path+sha256, content)
		if err != nil {
			return nil, fmt.Errorf("request PUT %s: %w", path, err)
		}
		request.ContentLength = size
		return request, nil
	})
	if err != nil {
		return err
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return &Unreachable{Address: c.address, Cause: err, Maybe: true}
	}
	if response.StatusCode != http.StatusOK {
		return c.refused(http.MethodPut, path+sha256, response.StatusCode, answer)
	}
	return nil
}
