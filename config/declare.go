package config

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The declaring functions, one for each type of option.

func text(section, key, def, doc string, parts ...with) *Option[string] {
	return declare("String", parseString, section, key, def, doc, parts...)
}

func boolean(section, key, def, doc string, parts ...with) *Option[bool] {
	return declare("Boolean", parseBool, section, key, def, doc, parts...)
}

func integer(section, key string, low int, def, doc string, parts ...with) *Option[int] {
	return declare("Integer", parseInt(low, math.MaxInt32), section, key, def, doc, parts...)
}

func float(section, key, def, doc string, parts ...with) *Option[float64] {
	return declare("Double", parseFloat, section, key, def, doc, parts...)
}

func duration(section, key, def, doc string, parts ...with) *Option[time.Duration] {
	return declare("Duration", ParseDuration, section, key, def, doc, parts...)
}

// durationOrNone is a duration where -1 means that there is none.
func durationOrNone(section, key, def, doc string, parts ...with) *Option[time.Duration] {
	return declare("Duration", parseDurationOrNone, section, key, def, doc, parts...)
}

// seconds is an option that Flink declares as a whole number of seconds; a unit may be written all the same.
func seconds(section, key, def, doc string, parts ...with) *Option[time.Duration] {
	parse := func(t string) (time.Duration, error) {
		if t = strings.TrimSpace(t); t != "" && strings.Trim(t, "0123456789") == "" {
			t += " s"
		}
		return ParseDuration(t)
	}
	return declare("Duration", parse, section, key, def, doc, append(parts, unit("seconds"))...)
}

func memory(section, key, def, doc string, parts ...with) *Option[MemorySize] {
	return declare("MemorySize", ParseMemory, section, key, def, doc, parts...)
}

// processMemory is the memory of a process. Flink reads a number without a unit as bytes; who leaves the unit out means mebibytes.
func processMemory(section, key, def, doc string, parts ...with) *Option[MemorySize] {
	parse := func(text string) (MemorySize, error) {
		m, err := ParseMemory(text)
		if err == nil && m < MiB {
			n, _, _ := splitNumber(text)
			err = fmt.Errorf("%q is %d bytes, too little for a process; write %dm for mebibytes", text, m.Bytes(), n)
		}
		return m, err
	}
	return declare("MemorySize", parse, section, key, def, doc, parts...)
}

// memoryBetween is a memory size with bounds.
func memoryBetween(low, high MemorySize, section, key, def, doc string, parts ...with) *Option[MemorySize] {
	parse := func(text string) (MemorySize, error) {
		m, err := ParseMemory(text)
		if err == nil && (m < low || m > high) {
			err = fmt.Errorf("%s is out of bounds; expected %s to %s", m, low, high)
		}
		return m, err
	}
	return declare("MemorySize", parse, section, key, def, doc, parts...)
}

func list(section, key, def, doc string, parts ...with) *Option[[]string] {
	return declare("List<String>", parseList, section, key, def, doc, parts...)
}

func ports(section, key, def, doc string, parts ...with) *Option[PortRange] {
	return declare("PortRange", parsePorts, section, key, def, doc, parts...)
}

// enum is an option with a closed list of words.
func enum(section, key, def, doc string, words []string, parts ...with) *Option[string] {
	return declare("Enum", parseEnum(words...), section, key, def, fmt.Sprintf("%s One of %s.", doc, strings.Join(words, ", ")), parts...)
}
