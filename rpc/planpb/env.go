package planpb

// Names of the environment variables that carry a role into a job binary; internal/role says what they mean there.
const (
	EnvRole = "WEFT_ROLE"
	EnvFD   = "WEFT_ROLE_FD"
	// EnvConfig is set for the plan role: a JSON object of the configuration by file and command line, over which options
	// set in main win (parallelism.default is what operators without a parallelism of their own get). No secrets.
	EnvConfig = "WEFT_ROLE_CONFIG"
	// RolePlan is EnvRole's value for a process that speaks this protocol.
	RolePlan = "plan"
)
