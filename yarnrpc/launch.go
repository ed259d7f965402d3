package yarnrpc

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"time"

	yarnpb "github.com/weft-project/weft/internal/hadoop/proto/yarn"
	"github.com/weft-project/weft/internal/hadoop/token"
)

// Visibility says who shares a localised file.
type Visibility int

// Public files are shared by all users of a node (everyone must be able to read them), private ones by all applications of
// their owner, application ones by the containers of one application.
const (
	VisibilityApplication Visibility = iota
	VisibilityPrivate
	VisibilityPublic
)

// LocalResource is a file that the NodeManager brings into a container's working directory.
type LocalResource struct {
	// URL is where the NodeManager reads it: hdfs://…, or file://… on the node itself.
	URL string
	// Size (bytes) and Modified must be what the file system says, to the millisecond: a NodeManager refuses a changed file.
	Size     int64
	Modified time.Time
	// Archive unpacks the file (.zip, .tar.gz, …) into a directory of the resource's name.
	Archive    bool
	Visibility Visibility
}

// Launch says what runs in a container.
type Launch struct {
	// Files are localised, by the name of the link in the working directory.
	Files map[string]LocalResource
	// Environment is set for the command; values may refer to others as {{NAME}}.
	Environment map[string]string
	// Commands are lines of the launch script; the last should exec the process. <LOG_DIR> is replaced.
	Commands []string
	// Credentials go to the container as its token file. They must not hold the AMRM token: see Credentials.Without.
	Credentials *token.Credentials
	// ViewACL and ModifyACL are "user,user group,group" or "*"; empty leaves the owner and administrators.
	ViewACL, ModifyACL string
}

func (l Launch) proto() (*yarnpb.ContainerLaunchContext, error) {
	p := &yarnpb.ContainerLaunchContext{Command: l.Commands}
	for _, name := range slices.Sorted(maps.Keys(l.Files)) {
		r, err := l.Files[name].proto()
		if err != nil {
			return nil, fmt.Errorf("local resource %q: %w", name, err)
		}
		p.LocalResources = append(p.LocalResources, &yarnpb.StringLocalResourceMap{Key: &name, Value: r})
	}
	for _, name := range slices.Sorted(maps.Keys(l.Environment)) {
		value := l.Environment[name]
		p.Environment = append(p.Environment, &yarnpb.StringStringMap{Key: &name, Value: &value})
	}
	if l.Credentials != nil && l.Credentials.Len() > 0 {
		p.Tokens = l.Credentials.Marshal()
	}
	for _, acl := range []struct {
		kind yarnpb.ApplicationAccessType
		text string
	}{{yarnpb.ApplicationAccessType_APPACCESS_VIEW_APP, l.ViewACL}, {yarnpb.ApplicationAccessType_APPACCESS_MODIFY_APP, l.ModifyACL}} {
		if acl.text != "" {
			p.ApplicationAcls = append(p.ApplicationAcls, &yarnpb.ApplicationACLMap{AccessType: acl.kind.Enum(), Acl: &acl.text})
		}
	}
	return p, nil
}

func (r LocalResource) proto() (*yarnpb.LocalResource, error) {
	u, err := url.Parse(r.URL)
	if err != nil || u.Scheme == "" || u.Path == "" {
		return nil, fmt.Errorf("url %q: expected scheme://host/path", r.URL)
	}
	// Java's URI gives -1 when there is no port, and YARN expects to find that.
	port := int64(-1)
	if text := u.Port(); text != "" {
		if port, err = strconv.ParseInt(text, 10, 32); err != nil {
			return nil, fmt.Errorf("url %q: port: %w", r.URL, err)
		}
	}
	host, path, port32, kind := u.Hostname(), u.Path, int32(port), yarnpb.LocalResourceType_FILE
	if r.Archive {
		kind = yarnpb.LocalResourceType_ARCHIVE
	}
	visibility := yarnpb.LocalResourceVisibility_APPLICATION
	switch r.Visibility {
	case VisibilityPrivate:
		visibility = yarnpb.LocalResourceVisibility_PRIVATE
	case VisibilityPublic:
		visibility = yarnpb.LocalResourceVisibility_PUBLIC
	}
	modified := r.Modified.UnixMilli()
	p := &yarnpb.LocalResource{
		Resource: &yarnpb.URL{Scheme: &u.Scheme, Port: &port32, File: &path},
		Size:     &r.Size, Timestamp: &modified, Type: &kind, Visibility: &visibility,
	}
	if host != "" {
		p.Resource.Host = &host
	}
	return p, nil
}

// Submission describes an application.
type Submission struct {
	ID   ApplicationID
	Name string
	// Type is what lists show and filter by; YARN cuts it at 20 characters.
	Type string
	// Queue is a leaf queue's name or path; empty takes "default".
	Queue string
	Tags  []string
	// Priority within the queue; nil takes the queue's default.
	Priority *int32
	// MaxAttempts is how often the ApplicationMaster is started; 0 takes the cluster's maximum.
	MaxAttempts int
	// FailureWindow forgets failures of attempts that are older; 0 counts all.
	FailureWindow time.Duration
	// KeepContainers leaves the containers running when an attempt fails, for the next one.
	KeepContainers bool
	// AM is the size of the ApplicationMaster's container, Launch what runs in it.
	AM     Resource
	Launch Launch
	// NodeLabel restricts all containers to nodes with that label.
	NodeLabel string
	// RolledLogs is a Java regular expression of log files that are aggregated while the application runs; empty aggregates
	// at the end only.
	RolledLogs string
	// RolledLogsExclude are those of them that are aggregated at the end only.
	RolledLogsExclude string
	// KeepTokens has the ResourceManager not cancel the delegation tokens when the application ends: they are others' too.
	KeepTokens bool
	// Unmanaged leaves it to the submitter to run the ApplicationMaster, outside of YARN.
	Unmanaged bool
}

func (s Submission) proto() (*yarnpb.ApplicationSubmissionContext, error) {
	launch, err := s.Launch.proto()
	if err != nil {
		return nil, err
	}
	attempts, queue := int32(s.MaxAttempts), s.Queue
	if queue == "" {
		queue = "default"
	}
	p := &yarnpb.ApplicationSubmissionContext{
		ApplicationId: s.ID.proto(), ApplicationName: &s.Name, Queue: &queue, AmContainerSpec: launch, MaxAppAttempts: &attempts,
		Resource: s.AM.proto(), ApplicationTags: s.Tags, KeepContainersAcrossApplicationAttempts: &s.KeepContainers, UnmanagedAm: &s.Unmanaged,
	}
	if s.KeepTokens {
		cancel := false
		p.CancelTokensWhenComplete = &cancel
	}
	if s.Type != "" {
		p.ApplicationType = &s.Type
	}
	if s.Priority != nil {
		p.Priority = &yarnpb.Priority{Priority: s.Priority}
	}
	if s.FailureWindow > 0 {
		ms := s.FailureWindow.Milliseconds()
		p.AttemptFailuresValidityInterval = &ms
	}
	if s.NodeLabel != "" {
		p.NodeLabelExpression = &s.NodeLabel
	}
	if s.RolledLogs != "" {
		p.LogAggregationContext = &yarnpb.LogAggregationContext{RolledLogsIncludePattern: &s.RolledLogs, RolledLogsExcludePattern: &s.RolledLogsExclude}
	}
	return p, nil
}
