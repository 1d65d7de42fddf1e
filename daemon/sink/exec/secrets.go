// SPDX-License-Identifier: Apache-2.0

package exec

import (
	"net/url"
	"slices"
	"strings"

	"github.com/genltestd/genltestd/daemon/redact"
)

// minSecret is the length from which the value of a variable is masked. Shorter values are
// likely to be part of ordinary words.
const minSecret = 8

// maskVariables adds likely secrets in the variables to the mask for output of programs. It
// returns nil without a mask. The caller closes the owner.
func maskVariables(mask *redact.Mask, variables []Variable) *redact.Owner {
	if mask == nil {
		return nil
	}
	var secrets redact.Texts
	for _, v := range variables {
		if len(v.Value) >= minSecret && isSecretName(v.Name) {
			secrets.Add(v.Value)
		}
		if u, err := url.Parse(v.Value); err == nil {
			password, _ := u.User.Password()
			secrets.Add(password)
		}
	}
	owner := mask.NewOwner()
	owner.Set(secrets)
	return owner
}

func closeOwner(o *redact.Owner) {
	if o != nil {
		o.Close()
	}
}

// isSecretName reports whether a variable of this name usually holds a secret.
func isSecretName(name string) bool {
	words := []string{
		"SECRET", "TOKEN", "PASSWORD", "PASSWD", "PASSPHRASE", "PASS", "KEY", "APIKEY", "CREDENTIAL",
		"AUTH", "AUTHORIZATION", "BEARER", "COOKIE", "DSN",
	}
	return slices.ContainsFunc(strings.Split(strings.ToUpper(name), "_"), func(part string) bool {
		return slices.Contains(words, part) || slices.Contains(words, strings.TrimSuffix(part, "S"))
	})
}
