// SPDX-License-Identifier: Apache-2.0

package ynl

// A file is a specification as it is written. The keys are those of the kernel's schemas
// genetlink, genetlink-c and genetlink-legacy. Keys that only matter to generators of C code
// and of documentation are accepted and ignored.
type file struct {
	Name          kernelName     `yaml:"name" required:"true" example:"linkflap"`
	Protocol      string         `yaml:"protocol" default:"genetlink" oneof:"genetlink genetlink-c genetlink-legacy"`
	Definitions   []definition   `yaml:"definitions"`
	AttributeSets []attributeSet `yaml:"attribute-sets"`
	SubMessages   []subMessages  `yaml:"sub-messages"`
	Operations    operations     `yaml:"operations"`
	McastGroups   mcastGroups    `yaml:"mcast-groups"`

	Doc          ignored      `yaml:"doc" null:"true"`
	Header       ignored      `yaml:"uapi-header"`
	Version      number       `yaml:"version"`
	Policy       ignored      `yaml:"kernel-policy"`
	CName        ignored      `yaml:"c-family-name"`
	CVersion     ignored      `yaml:"c-version-name"`
	MaxByDefine  ignored      `yaml:"max-by-define"`
	CmdMaxName   ignored      `yaml:"cmd-max-name"`
	CmdCntName   ignored      `yaml:"cmd-cnt-name"`
	KernelFamily kernelFamily `yaml:"kernel-family"`
}

type kernelFamily struct {
	Headers []ignored `yaml:"headers"`
	Private ignored   `yaml:"sock-priv"`
}

// A definition is a constant, an enum, a set of flags or a struct.
type definition struct {
	Name    word     `yaml:"name" required:"true" example:"link-state" name:"true"`
	Type    string   `yaml:"type" required:"true" example:"enum" oneof:"const enum flags struct"`
	Value   ignored  `yaml:"value"`
	Start   number   `yaml:"value-start"`
	Entries []entry  `yaml:"entries"`
	Members []member `yaml:"members"`

	Doc       ignored `yaml:"doc" null:"true"`
	Header    ignored `yaml:"header"`
	Scope     ignored `yaml:"scope"`
	RenderMax ignored `yaml:"render-max"`
	EnumName  ignored `yaml:"enum-name" null:"true"`
	CntName   ignored `yaml:"enum-cnt-name"`
	MaxName   ignored `yaml:"enum-max-name"`
	Prefix    ignored `yaml:"name-prefix"`
}

// An entry of an enum is a name, or a mapping with a name.
type entry struct {
	Name  word    `yaml:"name" required:"true" example:"up" name:"true"`
	Value number  `yaml:"value"`
	Doc   ignored `yaml:"doc" null:"true"`
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (e *entry) UnmarshalText(text []byte) error { return e.Name.UnmarshalText(text) }

// A member is a part of a struct.
type member struct {
	Name   word        `yaml:"name" required:"true" example:"count" name:"true"`
	Type   string      `yaml:"type" required:"true" example:"u32" oneof:"u8 u16 u32 u64 s8 s16 s32 s64 string binary pad"`
	Len    length      `yaml:"len" name:"true"`
	Struct word        `yaml:"struct" name:"true"`
	Order  byteOrder   `yaml:"byte-order"`
	Enum   word        `yaml:"enum" name:"true"`
	Flags  boolean     `yaml:"enum-as-flags"`
	Hint   displayHint `yaml:"display-hint"`
	Doc    ignored     `yaml:"doc" null:"true"`
}

// An attributeSet is a name space of attributes.
type attributeSet struct {
	Name       word        `yaml:"name" required:"true" example:"link" name:"true"`
	Prefix     ignored     `yaml:"name-prefix"`
	SubsetOf   word        `yaml:"subset-of" name:"true"`
	Attributes []attribute `yaml:"attributes"`

	Doc      ignored `yaml:"doc" null:"true"`
	Header   ignored `yaml:"header"`
	EnumName ignored `yaml:"enum-name" null:"true"`
	CntName  ignored `yaml:"attr-cnt-name"`
	MaxName  ignored `yaml:"attr-max-name"`
}

// An attribute of a sub-set does not have a type.
type attribute struct {
	Name       word        `yaml:"name" required:"true" example:"dev-name" name:"true"`
	Type       typeName    `yaml:"type"`
	Value      number      `yaml:"value"`
	TypeValue  []word      `yaml:"type-value"`
	Order      byteOrder   `yaml:"byte-order"`
	Multi      boolean     `yaml:"multi-attr"`
	Nested     word        `yaml:"nested-attributes" name:"true"`
	Enum       word        `yaml:"enum" name:"true"`
	Flags      boolean     `yaml:"enum-as-flags"`
	SubType    typeName    `yaml:"sub-type"`
	Struct     word        `yaml:"struct" name:"true"`
	SubMessage word        `yaml:"sub-message" name:"true"`
	Selector   word        `yaml:"selector" name:"true"`
	TypeOf     word        `yaml:"x-type-of" name:"true"`
	Hint       displayHint `yaml:"display-hint"`

	Doc    ignored            `yaml:"doc" null:"true"`
	Checks map[string]ignored `yaml:"checks"`
	Prefix ignored            `yaml:"name-prefix"`
	Len    length             `yaml:"len" name:"true"`
}

// A subMessages is a list of formats, of which the value of another attribute selects one.
type subMessages struct {
	Name    word     `yaml:"name" required:"true" example:"link-data" name:"true"`
	Formats []format `yaml:"formats"`
}

type format struct {
	Value       word `yaml:"value" required:"true" example:"vlan" name:"true"`
	FixedHeader word `yaml:"fixed-header" name:"true"`
	Set         word `yaml:"attribute-set" name:"true"`
}

type operations struct {
	Model       string      `yaml:"enum-model" default:"unified" oneof:"unified directional"`
	FixedHeader word        `yaml:"fixed-header" name:"true"`
	Default     word        `yaml:"x-attribute-set" name:"true"`
	List        []operation `yaml:"list"`

	Doc         ignored `yaml:"doc" null:"true"`
	Prefix      ignored `yaml:"name-prefix"`
	EnumName    ignored `yaml:"enum-name" null:"true"`
	AsyncPrefix ignored `yaml:"async-prefix"`
	AsyncEnum   ignored `yaml:"async-enum" null:"true"`
}

// An operation is a command with a request, an event or a notification. Without any, its
// number is reserved.
type operation struct {
	Name        word       `yaml:"name" required:"true" example:"link-change-ntf" name:"true"`
	Value       number     `yaml:"value"`
	Set         word       `yaml:"attribute-set" name:"true"`
	Overlay     word       `yaml:"x-attribute-set" name:"true"`
	FixedHeader word       `yaml:"fixed-header" name:"true"`
	Do          exchange   `yaml:"do"`
	Dump        exchange   `yaml:"dump"`
	Notify      word       `yaml:"notify" name:"true"`
	Event       message    `yaml:"event" null:"true"`
	Group       kernelName `yaml:"mcgrp"`

	Doc      ignored   `yaml:"doc" null:"true"`
	Flags    []ignored `yaml:"flags"`
	Validate []ignored `yaml:"dont-validate"`
	Config   ignored   `yaml:"config-cond"`
}

type exchange struct {
	Request message `yaml:"request" null:"true"`
	Reply   message `yaml:"reply" null:"true"`
	Pre     ignored `yaml:"pre"`
	Post    ignored `yaml:"post"`
}

type message struct {
	Value      number `yaml:"value"`
	Attributes []word `yaml:"attributes"`
}

type mcastGroups struct {
	List []mcastGroup `yaml:"list"`
}

type mcastGroup struct {
	Name kernelName `yaml:"name" required:"true" example:"events"`

	Value   ignored   `yaml:"value"`
	CDefine ignored   `yaml:"c-define-name"`
	Flags   []ignored `yaml:"flags"`
}
