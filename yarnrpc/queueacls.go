package yarnrpc

import (
	"context"
	"strings"

	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
)

// QueueRight is what the caller may do in one queue.
type QueueRight struct {
	// Queue is the queue's name as the ResourceManager gives it: the whole path or its last part.
	Queue              string
	Submit, Administer bool
}

// Is tells whether the right is for a queue, which is given by its path or its last part.
func (r QueueRight) Is(name string) bool {
	last := func(s string) string { return s[strings.LastIndexByte(s, '.')+1:] }
	if strings.Contains(r.Queue, ".") && strings.Contains(name, ".") {
		return r.Queue == name
	}
	return last(r.Queue) == last(name)
}

// QueueRights lists what the caller may do in each queue.
func (c *ClientRM) QueueRights(ctx context.Context) ([]QueueRight, error) {
	var out yarnpb.GetQueueUserAclsInfoResponse
	if err := c.proxy.Call(ctx, "getQueueUserAcls", &yarnpb.GetQueueUserAclsInfoRequest{}, &out); err != nil {
		return nil, err
	}
	var rights []QueueRight
	for _, q := range out.GetQueueUserAcls() {
		r := QueueRight{Queue: q.GetQueueName()}
		for _, acl := range q.GetUserAcls() {
			switch acl {
			case yarnpb.QueueACL_QACL_SUBMIT_APPLICATIONS:
				r.Submit = true
			case yarnpb.QueueACL_QACL_ADMINISTER_QUEUE:
				r.Administer = true
			}
		}
		rights = append(rights, r)
	}
	return rights, nil
}
