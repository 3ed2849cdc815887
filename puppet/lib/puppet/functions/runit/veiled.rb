# frozen_string_literal: true

# @summary Data as a parameter of a resource: as a secret when some of it is one, so that PuppetDB and reports are not told any of it.
#
# @api private
Puppet::Functions.create_function(:'runit::veiled') do
  # @param data
  #   A hash of what YAML can say, of secrets, and of what is deferred.
  #
  # @return [Variant[Hash, Sensitive[Hash]]]
  #   The same hash.
  dispatch :veiled do
    param 'Hash', :data
    return_type 'Variant[Hash, Sensitive[Hash]]'
  end

  def veiled(data)
    plain?(data) ? data : Puppet::Pops::Types::PSensitiveType::Sensitive.new(data)
  end

  def plain?(value)
    case value
    when Hash then value.all? { |key, item| key.is_a?(String) && plain?(item) }
    when Array then value.all? { |item| plain?(item) }
    when String, Numeric, true, false, nil then true
    else false
    end
  end
end
